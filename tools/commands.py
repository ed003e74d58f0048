"Makes nbs/commands.qmd, the reference of the command line, from its parser: `python tools/commands.py`."
import argparse
import re
from pathlib import Path

from ocean_fastai.jobs.commands import parser

root = Path(__file__).resolve().parent.parent


def cell(text):
    "Text as a cell of a Markdown table; angle brackets and bars would be read as markup."
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def name(action):
    "An option or an argument as it is typed."
    words = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    return f"`{words}`" + (f" {cell(action.metavar)}" if action.option_strings and action.metavar else "")


def meaning(action):
    "What an option does, and its default where it has one."
    text = cell(action.help or "")
    if action.default in (None, argparse.SUPPRESS, False) or "default" in text: return text
    return f"{text} (default: {action.default})"


def section(command, sub):
    "A command: what it does, its options, its examples."
    shown = [a for a in sub._actions if a.help != argparse.SUPPRESS and a.dest != "help"]
    rows = [f"| {name(a)} | {meaning(a)} |" for a in shown]
    examples = re.findall(r"^\s+(ocean-fastai .+)$", sub.epilog or "", re.M)
    return "\n".join([f"## {command}", "", sub.description or "", "", "```sh", *examples, "```", "", "| option | what it says |", "|---|---|", *rows, ""])


def commands():
    "The page."
    top = parser()
    subs = next(a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    head = ["---", "title: Command line", "description: Every command of `ocean-fastai`, its options and examples.", "---", "",
            "`python -m ocean_fastai` is the same command. Exit codes: 0 done, 2 bad input (one line says which), 130 interrupted. `--debug` shows the traceback of an error.", ""]
    shown = [c.dest for c in subs._choices_actions]
    return "\n".join([*head, *(section(c, subs.choices[c]) for c in shown)]).rstrip() + "\n"


if __name__ == "__main__": (root/"nbs/commands.qmd").write_text(commands(), encoding="utf-8")
