"Whole jobs over folders, for the command line and for notebooks: `from ocean_fastai.jobs import train`."

from importlib import import_module

_MODULES = {"split": "data", "convert": "data",
            "train": "training",
            "predict": "prediction", "embed": "prediction", "export": "prediction",
            "evaluate": "judge", "compare": "judge", "score": "judge", "calibrate": "judge",
            "robustness": "corruptions",
            "audit": "checks", "group": "checks", "leaks": "checks",
            "shares": "survey", "subclasses": "survey",
            "localize": "find",
            "pseudo_label": "annotate", "preannotate": "annotate",
            "synth": "draw", "demo": "draw",
            "label_issues": "quality", "agreement": "quality", "consensus": "quality",
            "review": "panel",
            "map": "transects",
            "train_boxes": "detector",
            "query": "labeling", "ledger": "labeling", "diff": "labeling"}
__all__ = list(_MODULES)

def __getattr__(name):
    "A job, whose module is imported when it is asked for: that takes seconds."
    if name not in _MODULES: raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

def __dir__(): return sorted({*globals(), *__all__})
