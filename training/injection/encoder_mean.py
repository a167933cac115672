"""The mean of the weights of two fits, as a checkpoint to go on from: `encoder_mean.py BEFORE.pt AFTER.pt OUT.part`. Needs `torch`.

What was known before is kept better so than by the later fit alone (Wortsman et al., Model soups, ICML 2022).
"""
import sys

import torch

before, after = (torch.load(path) for path in sys.argv[1:3])
torch.save({name: (value + after[name]) / 2 for name, value in before.items()}, sys.argv[3])
