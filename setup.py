"Hands settings.ini to setuptools; name, description and licence are in pyproject.toml, the version in the package."
import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

here = Path(__file__).parent
cfg = ConfigParser(delimiters=["="])
cfg.read_string((here/"settings.ini").read_text(encoding="utf-8"))
project = cfg["project"]

def lines(text): return text.strip().splitlines()

def absolute(readme):
    "PyPI knows nothing of the repository's files, so there the README's relative links lead to GitHub."
    url = "https://github.com/ocean-fastai/ocean-fastai/raw/main/"
    return re.sub(r"\]\((?![a-z]+:|#)", f"]({url}", readme)

setup(author=project["author"], keywords=project["keywords"].split(), classifiers=lines(project["classifiers"]),
      long_description=absolute((here/"README.md").read_text(encoding="utf-8")), long_description_content_type="text/markdown",
      install_requires=lines(project["requirements"]), extras_require={k: lines(v) for k,v in cfg["extras"].items()},
      entry_points={"console_scripts": [f"{k} = {v}" for k,v in cfg["scripts"].items()],
                    "nbdev": ["ocean_fastai = ocean_fastai._modidx:d"]})
