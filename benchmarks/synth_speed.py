"""How fast scenes are drawn, on one core: whole scenes (world and frame) with everything on them, and frames of one video.

    python benchmarks/synth_speed.py [--n 24]
"""
import argparse
import time

import cv2

from ocean_fastai.synth.floors import FLOORS
from ocean_fastai.synth.scene import ELEMENTS, draw_frame, draw_scene, make_world

def seconds(f, n):
    "Mean wall-clock and processor seconds of f(0), ..., f(n - 1)."
    wall, cpu = time.perf_counter(), time.process_time()
    for i in range(n): f(i)
    return (time.perf_counter() - wall)/n, (time.process_time() - cpu)/n

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=24, help="scenes of the smallest size; larger ones take fewer")
    n = parser.parse_args().n
    cv2.setNumThreads(1)
    floors = list(FLOORS)
    scene = lambda size: lambda i: draw_scene(size, floors[i % 4], ELEMENTS, seed=i)
    draw_scene((64, 36))
    for size, k in (((128, 72), n), ((512, 288), n), ((1920, 1080), max(4, n//4)), ((3840, 2160), 4)):
        wall, cpu = seconds(scene(size), k)
        print(f"scene {size[0]}x{size[1]}: {wall:.3f} s ({1/wall:.1f} per second), {cpu:.3f} s of processor time")
    world = make_world("reef", ELEMENTS, seed=0, frames=n)
    wall, cpu = seconds(lambda i: draw_frame(world, (512, 288), i), n)
    print(f"frame of a video, 512x288: {wall:.3f} s ({1/wall:.1f} per second), {cpu:.3f} s of processor time")

if __name__ == "__main__": main()
