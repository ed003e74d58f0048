"What the benchmarks of boxes share."
from ocean_fastai.explain.wsol import true_pairs


def present(found, true):
    "Those boxes found whose class is truly in their image, as localization is usually judged."
    there = true_pairs(true)
    return found[[pair in there for pair in zip(found.path, found.label)]].reset_index(drop=True)


def say(name, table):
    "Print a line for each class of a table of `wsol_scores`: every measure with its interval."
    for c, rows in table.groupby("class", sort=False):
        said = "  ".join(f"{r.measure} {r.value:.3f} [{r.value_low:.3f}, {r.value_high:.3f}]" for r in rows.itertuples())
        print(f"{name:30} {c:16} n={rows.pairs.iloc[0]:4}  {said}", flush=True)
