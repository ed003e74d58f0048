"`python -m ocean_fastai` is the command `ocean-fastai`."
import sys

from ocean_fastai.cli import main

sys.exit(main())
