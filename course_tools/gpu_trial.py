"""GPU cells at reduced size on a CPU: what `course_tools.record_gpu_cells --trial` changes, and nothing else.

A trial shows that a cell runs, draws and records. Its numbers mean nothing and are not kept.
"""
__all__ = ["PRETEND", "REDUCED", "STAND_IN"]

# Before the first import of a lesson: all of CIFAR-10 is 600 pictures, crops of photographs where it is not at hand.
STAND_IN = """
import course_utils.data as _data
_load = _data.load
def _small(name, split="train", **options):
    if name != "cifar10" or options:
        return _load(name, split, **options)
    return _load(name, split, stand_in=True).subset(600)
_data.load = _small
"""

# Before the GPU cell: the CPU plays the part of the GPU.
PRETEND = """
import dataclasses, torch
session = dataclasses.replace(session, gpu=True, device=torch.device("cpu"))
torch.cuda.synchronize = torch.cuda.reset_peak_memory_stats = lambda *_: None
torch.cuda.max_memory_allocated, torch.cuda.get_device_name = lambda *_: 0, lambda *_: "CPU, a trial"
torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *_, **__: self
"""

SMALL = "seconds=4, images=40, width=8, batch=16, network=%s.FeatureNetwork('colour', 3, 3, lambda x: x.mean((2, 3)))"
GAN = [("session.device)", f"session.device, {SMALL % 'cifar_gans'})")]
JOINED = [(f"session.device, {seed})", f"session.device, {seed}, {SMALL % 'joined_cifar'})") for seed in range(3)]

REDUCED = {  # by cell: what its source holds, and what a trial puts there
    "00_gallery": [("range(100)", "range(1)"), ("10_000", "100")],
    "01_cycle_spinning": [("20_000", "20")],
    "02_phase_transition": [("400, 49, 40", "40, 6, 2")],
    "03_colour_atoms": [("400_000", "2_000"), ("1024", "160"), ("steps=400, batch=4000", "steps=4, batch=200")],
    "04_colour_autoencoder": [("epochs=30", "epochs=1"), ("width=64", "width=8")],
    "05_colour_autoencoder": [("maps=64", "maps=16"), ("model, 30,", "model, 1,")],
    "05_listing": [("seconds=300, epochs=100", "seconds=20, epochs=3")],
    "06_fronts": [("2000, 1e-3, batch=512", "3, 1e-3, batch=64")],
    "07_larger_network": [("15_000", "300"), ("steps=6", "steps=2"), ("recipe.Settings()", "recipe.Settings(epochs=1, steps=3, batch=8)")],
    "09_cifar_dcgan": GAN, "09_cifar_sngan": GAN, "09_cifar_gan": GAN,
    "11_colour_vae": [("optimizer, 60)", "optimizer, 1)"), ("(512, 128, 3, 32)", "(512, 16, 3, 32)"), ("(256, 128, 3, 32)", "(256, 16, 3, 32)")],
    "12_joined_cifar10": JOINED, "12_joined_cifar10_1": JOINED, "12_joined_cifar10_2": JOINED,
    "13_gpu_ladder": [("Denoiser(128)", "Denoiser(16)"), ("batches=(32, 1024), steps=40", "batches=(32, 64), steps=2"),
                      ("side=8192, numbers=2**28", "side=256, numbers=2**20")],
    "14_generator_features": [("20_000, 64", "200, 64"), ("4096, 16, 20_000", "256, 16, 20")],
}
