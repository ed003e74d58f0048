"""What maps cost: `cam_maps` for the predicted class against the plain forward pass of the same batch, and against other ways to Grad-CAM.

    python benchmarks/cam_cost.py [--n 16] [--size 224] [--rounds 9]

A batch of ready normalized tensors, networks without trained weights. In each round the candidates take turns, so that other load on the machine hits them
alike; medians and the median of the rounds' ratios are printed. For resnet34 also pytorch-grad-cam with the whole batch at once, and the loop that one
finds in notebooks: image by image, predict, set hooks, forward, backward.
"""
import argparse
import time
from statistics import median

import timm
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from ocean_fastai.explain.cam import cam_maps


def seconds(job):
    "How long it takes"
    start = time.perf_counter()
    job()
    if torch.cuda.is_available(): torch.cuda.synchronize()
    return time.perf_counter() - start


@torch.inference_mode()
def forward(network, x): return network(x)


def library(network, x):
    "pytorch-grad-cam, the whole batch; the predicted class is its own default"
    with GradCAM(network, [network.layer4]) as cam: return cam(x, None)


def loop(network, x):
    "Image by image: predict, hooks, forward, backward"
    maps = []
    for image in x:
        with torch.no_grad(): c = network(image[None]).argmax(1).item()
        kept = {}
        handles = [network.layer4.register_forward_hook(lambda m, i, o: kept.update(a=o)), network.layer4.register_full_backward_hook(lambda m, i, o: kept.update(g=o[0]))]
        network.zero_grad()
        network(image[None])[0, c].backward()
        for handle in handles: handle.remove()
        m = (kept["g"].mean((2, 3), keepdim=True)*kept["a"]).sum(1).relu().detach()
        maps.append(m/m.max().clamp_min(1e-12))
    return torch.cat(maps)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name,value in (("n", 16), ("size", 224), ("rounds", 9)): args.add_argument(f"--{name}", type=int, default=value)
    args = args.parse_args()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x = torch.randn(args.n, 3, args.size, args.size, device=device)
    print(f"batch of {args.n} at {args.size}, {torch.get_num_threads()} threads, {device}, {args.rounds} rounds")
    for arch in ("resnet34", "mobilenetv2_100", "convnext_atto"):
        network = timm.create_model(arch, num_classes=4).eval().to(device)
        jobs = {"forward": lambda: forward(network, x), "cam_maps": lambda: cam_maps(network, x)}
        bars = {"forward": (1.15, "at most")}
        if arch == "resnet34":
            jobs |= {"pytorch-grad-cam": lambda: library(network, x), "loop": lambda: loop(network, x)}
            bars |= {"pytorch-grad-cam": (2, "at least"), "loop": (5, "at least")}
            off = (cam_maps(network, x) - loop(network, x)).abs().max().item()
            print(f"{arch}: the loop's maps differ by {off:.1e} at most")
        for job in jobs.values(): job()
        took = {name: [] for name in jobs}
        for _ in range(args.rounds):
            for name,job in jobs.items(): took[name].append(seconds(job))
        for name,values in took.items(): print(f"{arch:16} {name:18} {1000*median(values):8.1f} ms   ({1000*min(values):.1f} to {1000*max(values):.1f})")
        for name,(bar,how) in bars.items():
            ours = median(a/b if how == "at most" else b/a for a,b in zip(took["cam_maps"], took[name]))
            said = f"cam_maps / {name}" if how == "at most" else f"{name} / cam_maps"
            print(f"{arch:16} {said}: {ours:.2f}   ({how} {bar}: {'yes' if (ours <= bar) == (how == 'at most') else 'NO'})")


if __name__ == "__main__": main()
