"What the tests of the command share: a small drawn data set, the shortest of trainings, and the command in this process or in one of its own."
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

COMMAND = Path(sys.executable).parent/"ocean-fastai"
TINY = ["--target", "floor", "--arch", "mobilenetv2_035", "--weights", "none", "--size", "32", "--head-epochs", "0", "--body-epochs", "1"]

def draw(folder, n=24, videos=12, size=(64, 36), **kw):
    "A drawn data set; its manifest's file."
    from ocean_fastai.synth.dataset import draw_dataset
    draw_dataset(folder, n, size, videos, masks=False, progress=False, **kw)
    return folder/"manifest.csv"

def here(*argv):
    "Run the command in this process: exit code, stdout, stderr."
    import torch
    from ocean_fastai.cli import main
    torch.set_num_threads(1)
    out,err = StringIO(),StringIO()
    with redirect_stdout(out),redirect_stderr(err):
        try: code = main([str(a) for a in argv])
        except SystemExit as e: code = e.code
    return code,out.getvalue(),err.getvalue()

def ok(*argv):
    "Run the command in this process, where it must work; what it said on stdout and stderr."
    code,out,err = here(*argv)
    assert code == 0, err
    return out,err

def refused(*argv):
    "Run the command in this process, where it must end with exit code 2 and one line; the line."
    code,out,err = here(*argv)
    assert code == 2, (code, err)
    lines = [line for line in err.splitlines() if ": warning: " not in line]
    assert len(lines) == 1 and lines[0].startswith("ocean-fastai"), err
    assert "Traceback" not in err
    return lines[0]

def begin(*argv, **kw):
    "Start the command in a process of its own, where Ctrl-C is heard even if a background shell, which ignores it, started the tests."
    env = {k: v for k,v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([str(COMMAND), *map(str, argv)], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **kw)

def apart(*argv, **kw):
    "Run the command in a process of its own: exit code, stdout, stderr."
    process = begin(*argv, **kw)
    out,err = process.communicate(timeout=300)
    return process.returncode,out,err

class Forked:
    "The command in a process that is forked from this one, which has imported everything: it begins at once, and can be killed like any other."
    def __init__(self, *argv):
        self.said = tempfile.NamedTemporaryFile("w+")
        self.process = multiprocessing.get_context("fork").Process(target=self._run, args=([str(a) for a in argv],))
        self.process.start()

    def _run(self, argv):
        from ocean_fastai.cli import main
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdout,sys.stderr = open(os.devnull, "w"),open(self.said.name, "a")
        os._exit(main(argv))

    def poll(self): return self.process.exitcode
    def send_signal(self, number): os.kill(self.process.pid, number)
    def finish(self, seconds):
        "Exit code, and what was said on stderr."
        self.process.join(seconds)
        assert self.process.exitcode is not None, "still running"
        return self.process.exitcode,open(self.said.name).read()
