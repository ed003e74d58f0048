"What `from ocean_fastai.all import *` gives: fastai's names, and those of this library that a session needs. By hand."

import warnings as _warnings
from pkgutil import resolve_name as _resolve_name

from fastai.vision.all import *

from ocean_fastai.core import (STANDARD_CLASSES, AugmentError, BoxError, BundleError, ImageError, ManifestError,
    OceanError, SplitError, WeightsError, canonical, class_colors, fast_cpu)
from ocean_fastai.geometry import Geometry, Mapping, ROVCrop, parse_crop, parse_size
from ocean_fastai.images import cache_images, list_images, open_image
from ocean_fastai.optics import JERLOV, apply_water
from ocean_fastai.fonts import fit_fonts
from ocean_fastai.tables import manifest_hash, read_table
from ocean_fastai.pages import contact_sheet, html_page, save_page
from ocean_fastai.synth.scene import draw_scene
from ocean_fastai.synth.dataset import draw_dataset
from ocean_fastai.synth.surface import draw_surface, make_weather
from ocean_fastai.synth.voyage import imperfect_boxes, plan_voyage, true_density
from ocean_fastai.synth.photos import draw_voyage
from ocean_fastai.data.manifest import (check_manifest, classes_of, image_paths, label_matrix, load_manifest,
    save_manifest, target_columns)
from ocean_fastai.data.sources import manifest_from_csv, manifest_from_folder
from ocean_fastai.data.boxes import boxes_to_labels, check_boxes, draw_boxes, show_boxes
from ocean_fastai.data.embeddings import embedding_matrix, load_embeddings, save_embeddings
from ocean_fastai.data.people import people_labels
from ocean_fastai.data.groups import group_frames, plot_links, why_grouped
from ocean_fastai.data.splits import load_split, save_split, split_frames, split_hash
from ocean_fastai.data.augment import (AlbumentationsTransform, FillOverlay, ROVFrame, WaterOptics, aug_recipes,
    ocean_augs, show_augs)
from ocean_fastai.data.enhance import ENHANCEMENTS, Enhance, enhance
from ocean_fastai.data.corrupt import corrupt, corruption_table, show_corruptions
from ocean_fastai.data.spatial import correlogram, plot_correlogram, spatial_blocks, spatial_split
from ocean_fastai.data.folds import dive_folds, representative_split
from ocean_fastai.data.loaders import OceanDataLoaders
from ocean_fastai.data.overlay import find_static_overlay, propose_crop
from ocean_fastai.data.audit import audit_images, audit_report, plot_audit
from ocean_fastai.formats.base import known_formats
from ocean_fastai.data.meta import match_track, read_meta, read_track
from ocean_fastai.formats.coco import coco_images, is_coco, read_coco, write_coco
from ocean_fastai.formats.yolo import read_yolo, write_yolo
from ocean_fastai.formats.voc import read_voc
from ocean_fastai.formats.interfaces import kili_interface, studio_config
from ocean_fastai.formats.upload import upload_kili, upload_studio
from ocean_fastai.formats.convert import convert, read_annotations, read_labels, write_annotations
from ocean_fastai.train.losses import SummedLoss, class_weights, logit_shift, ocean_loss, pos_weights
from ocean_fastai.train.metrics import (average_precision, balanced_accuracy, default_metrics, macro_f1,
    weighted_accuracy)
from ocean_fastai.train.models import load_weights, ocean_model
from ocean_fastai.train.blocks import blocks_network, class_maps
from ocean_fastai.train.learner import ocean_learner, refit
from ocean_fastai.train.tracking import wandb_tracking
from ocean_fastai.infer.bundle import Bundle, load_bundle, save_bundle
from ocean_fastai.infer.domain import fit_domain, learner_domain
from ocean_fastai.infer.items import list_items
from ocean_fastai.infer.predict import load_predictions, predict_table
from ocean_fastai.infer.corrupted import corrupted_predictions
from ocean_fastai.infer.detector import train_detector
from ocean_fastai.infer.embed import embed
from ocean_fastai.infer.probe import fit_probe
from ocean_fastai.infer.hub import push_bundle
from ocean_fastai.infer.onnx import export_onnx
from ocean_fastai.explain.cam import cam_maps, show_cams
from ocean_fastai.explain.heatmaps import heat_boxes, heat_maps
from ocean_fastai.explain.localize import fit_threshold, localize
from ocean_fastai.explain.subclasses import (name_subclasses, plot_subclasses, subclass_sheets, subclasses,
    subclasses_report)
from ocean_fastai.evaluate.scores import classification_scores, confusion, summary_dict
from ocean_fastai.evaluate.wsol import center_boxes, max_box_acc, max_box_acc_v2, pointing_game
from ocean_fastai.evaluate.boxes import boxes_report, match_boxes, wsol_scores
from ocean_fastai.evaluate.detection import ap_scores
from ocean_fastai.evaluate.pxap import pxap
from ocean_fastai.evaluate.report import plot_confusion, plot_history, scores_report, show_examples
from ocean_fastai.evaluate.calibration import (abstain_threshold, apply_temperature, calibrate, calibration_table,
    classwise_ece, ece_interval, expected_calibration_error, fit_temperature, risk_coverage)
from ocean_fastai.evaluate.reliability import plot_reliability, plot_risk_coverage
from ocean_fastai.evaluate.compare import compare, compare_preds, plot_comparison
from ocean_fastai.evaluate.robustness import plot_robustness, robustness, robustness_report, robustness_scores
from ocean_fastai.evaluate.thresholds import choose_thresholds, cooccurrence, plot_cooccurrence
from ocean_fastai.evaluate.leaks import leak_free, leak_report, leaking_pairs, price_of_leak
from ocean_fastai.evaluate.survey import estimate_shares, frames_to_check
from ocean_fastai.evaluate.survey_page import plot_shares, shares_report
from ocean_fastai.evaluate.domain import errors_by_domain, plot_errors_by_domain
from ocean_fastai.annotate.pseudo import pseudo_label
from ocean_fastai.annotate.precision import precision_curve, precision_thresholds
from ocean_fastai.annotate.suggest import suggest
from ocean_fastai.annotate.preannotate import preannotate
from ocean_fastai.annotate.refit import refit_thresholds
from ocean_fastai.annotate.triage import decide, time_saved
from ocean_fastai.annotate.triage_page import plot_precision, preannotation_report
from ocean_fastai.annotate.issues import box_issues, label_issues
from ocean_fastai.annotate.issues_page import issue_sheet, label_issues_report
from ocean_fastai.annotate.agreement import agreement, share_agreement
from ocean_fastai.annotate.consensus import consensus
from ocean_fastai.annotate.box_agreement import box_agreement, count_agreement
from ocean_fastai.annotate.box_consensus import box_consensus
from ocean_fastai.annotate.honeypots import pick_honeypots, score_honeypots
from ocean_fastai.annotate.decisions import (DecisionLog, apply_decisions, decision_conflicts, merge_decisions,
    read_decisions)
from ocean_fastai.annotate.items import review_items
from ocean_fastai.annotate.review import review
from ocean_fastai.annotate.review_page import review_page
from ocean_fastai.annotate.query import query, query_report, requery
from ocean_fastai.annotate.learning import expected_gain, learning_areas, plot_learning, simulate_labeling
from ocean_fastai.annotate.edits import box_edits, label_edits
from ocean_fastai.annotate.events import check_events, read_events, with_quality
from ocean_fastai.annotate.ledger import ledger
from ocean_fastai.annotate.ledger_page import ledger_report, plot_ledger
from ocean_fastai.annotate.versions import diff_manifest, diff_report, labeling_guide
from ocean_fastai.transect.track import leg_overlap, plot_transects, transects
from ocean_fastai.transect.footprint import (Camera, footprint, locate_boxes, pixel_to_sea,
    plot_footprint, read_camera, sea_to_pixel)
from ocean_fastai.transect.horizon import check_tilt, find_horizon
from ocean_fastai.transect.detection import detection_function
from ocean_fastai.transect.models import detection_models, plot_detection
from ocean_fastai.transect.observers import two_observers
from ocean_fastai.transect.rates import held_out_rates
from ocean_fastai.transect.density import density, plot_density
from ocean_fastai.transect.distance import write_distance_tables
from ocean_fastai.transect.link import held_out_objects, link_objects, one_each
from ocean_fastai.transect.map import grid_density, map_report, plot_map, write_geojson
from ocean_fastai.transect.page import density_map, write_geopackage

_OLD_NAMES = {"SEED": "core:SEED", "VOCABS": "core:STANDARD_CLASSES", "class_colours": "core:class_colors",
    "recipes": "data.augment:aug_recipes", "formats": "formats.base:known_formats",
    "scores": "evaluate.scores:classification_scores", "ece": "evaluate.calibration:expected_calibration_error",
    "centre_boxes": "evaluate.wsol:center_boxes", "report_page": "evaluate.report:scores_report",
    "wsol_report": "evaluate.boxes:wsol_report"}

def __getattr__(name):
    "What this module gave under a name that `import *` no longer brings, with a `DeprecationWarning`."
    if name not in _OLD_NAMES: raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module,new = _OLD_NAMES[name].split(":")
    _warnings.warn(f"ocean_fastai.all.{name} is now ocean_fastai.{module}.{new}", DeprecationWarning, stacklevel=2)
    return _resolve_name(f"ocean_fastai.{module}:{new}")
