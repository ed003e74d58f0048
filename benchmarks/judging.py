"What benchmarks share: how boxes are judged, and how calibration is told."
from ocean_fastai.evaluate.calibration import apply_temperature, ece_interval, fit_temperature
from ocean_fastai.data.boxes import true_pairs


def present(found, true):
    "Those boxes found whose class is truly in their image, as localization is usually judged."
    there = true_pairs(true)
    return found[[pair in there for pair in zip(found.path, found.label)]].reset_index(drop=True)


def say(name, table):
    "Print a line for each class of a table of `wsol_scores`: every measure with its interval."
    for c, rows in table.groupby("class", sort=False):
        said = "  ".join(f"{r.measure} {r.value:.3f} [{r.value_low:.3f}, {r.value_high:.3f}]" for r in rows.itertuples())
        print(f"{name:30} {c:16} n={rows.pairs.iloc[0]:4}  {said}", flush=True)


def calibration(name, runs, valid, test, target):
    "Print the expected calibration error on test images before and after the temperature that each run's validation images gave, with intervals over groups."
    for seed, (preds, known) in enumerate(zip(runs, valid)):
        mine = preds[preds.target == target].reset_index(drop=True)
        seen, other = (mine[mine.path.isin(rows.path)].reset_index(drop=True) for rows in (known, test))
        temperature = fit_temperature(seen, known, target)
        before, after = (ece_interval(p, test, target) for p in (other, apply_temperature(other, {target: temperature})))
        said = ["{:.3f} ({:.3f} to {:.3f})".format(*o) for o in (before, after)]
        print(f"{name}, seed {seed}: {target}: ECE (15 bins of equal width) on {len(test)} test images of {test.video.nunique()} videos: before {said[0]}, after {said[1]}; temperature {temperature:.2f}, from {known[target].notna().sum()} validation images")
