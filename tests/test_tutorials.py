"Each tutorial's visible code runs where a reader pastes it: in an empty folder, with nothing that a hidden cell defines."
import multiprocessing
import os
import sys
import traceback

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT/"tools"))
from tutorials import TUTORIALS, pasted  # noqa: E402

def run_small(name, answer):
    "Run a tutorial, and answer with what went wrong, or nothing."
    os.environ.update(OCEAN_SMALL="1", MPLBACKEND="agg")
    try: pasted(name)
    except BaseException: answer.send(traceback.format_exc())
    else: answer.send("")

@pytest.fixture(scope="module")
def processes():
    "Starts processes that have imported already, where a system can: that takes longer than some tutorials."
    kinds = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in kinds else "spawn")
    if "forkserver" in kinds: context.set_forkserver_preload(["ocean_fastai.all", "execnb.shell", "tutorials"])
    return context

@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_runs_pasted(name, processes):
    here,there = processes.Pipe(duplex=False)
    process = processes.Process(target=run_small, args=(name, there))
    process.start()
    there.close()
    try: wrong = here.recv()
    except EOFError: wrong = "it ended without an answer"
    process.join()
    assert wrong == "", wrong
