"""A trained model as a folder without pickle, and its predictions.

`from ocean_fastai.infer import load_bundle` gives a whole bundle, with `predict`, and loads no fastai."""
from importlib import import_module

_HOMES = {"bundle": ("Bundle", "load_bundle", "save_bundle"), "config": ("learner_config",), "items": ("list_items",),
          "onnx": ("export_onnx",),
          "predict": ("load_predictions", "predict_table")}
__all__ = sorted(name for names in _HOMES.values() for name in names)

def __getattr__(name):
    "The names above from their modules, when they are first asked for."
    home = next((module for module,names in _HOMES.items() if name in names), None)
    if home is None: raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module in ("predict", "onnx"): import_module(f"{__name__}.{module}") # what `Bundle` predicts with
    return getattr(import_module(f"{__name__}.{home}"), name)
