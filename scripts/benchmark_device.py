"""Time the seed's elementwise product and a true matrix product on every device, with the device's own limits."""

from collections.abc import Callable
from pathlib import Path

from torchship.core.step import log, step

import torch
from torch.utils.benchmark import Timer
from torchship.core.files import write_rows
from torchship.models.devices import all_devices

# What is timed, and of N x N float32 matrices the bytes that it must move and the operations that it must do.
OPERATIONS: dict[str, tuple[str, Callable[[int], int], Callable[[int], int]]] = {
    "elementwise": ("a * b.transpose(0, 1)", lambda n: 3 * 4 * n**2, lambda n: n**2),
    "matrix product": ("a @ b", lambda n: 3 * 4 * n**2, lambda n: 2 * n**3),
}
# Beyond every cache, and large enough for full speed.
COPY_FLOATS = 2**26
PRODUCT_SIZE = 2048


def benchmark_device(table: Path, limits: Path, *, sizes: list[int], min_seconds: float, threads: int) -> None:
    torch.set_num_threads(threads)
    rows, ceilings = [], []
    for device in all_devices():
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        bandwidth, flops = measure_limits(device, min_seconds, threads)
        timed = []
        for operation, (statement, _, done) in OPERATIONS.items():
            for n in sizes:
                a, b = torch.rand(n, n, device=device), torch.rand(n, n, device=device)
                seconds, runs = time_statement(statement, {"a": a, "b": b}, min_seconds, threads)
                timed.append((operation, n, seconds, runs))
                # No size is known beforehand to be the fastest.
                flops = max(flops, done(n) / seconds)
                log.info("%s, %s, N = %d: %.3g s", name, operation, n, seconds)
        log.info("%s: %.3g GB/s, %.3g GFLOP/s, %d threads", name, bandwidth / 1e9, flops / 1e9, threads)
        ceilings.append([device.type, name, threads, bandwidth, flops])
        for operation, n, seconds, runs in timed:
            _, moved, done = OPERATIONS[operation]
            rows.append([device.type, operation, n, seconds, runs, max(moved(n) / bandwidth, done(n) / flops)])
    write_rows(table, ["device", "operation", "n", "seconds", "runs", "floor_seconds"], rows)
    write_rows(limits, ["device", "name", "threads", "bytes_per_second", "flop_per_second"], ceilings)


def measure_limits(device: torch.device, min_seconds: float, threads: int) -> tuple[float, float]:
    """Return the bytes a second of a large copy, read and written, and the operations a second of a large product."""
    source, sink = (torch.rand(COPY_FLOATS, device=device) for _ in range(2))
    copy, _ = time_statement("sink.copy_(source)", {"source": source, "sink": sink}, min_seconds, threads)
    a, b = (torch.rand(PRODUCT_SIZE, PRODUCT_SIZE, device=device) for _ in range(2))
    product, _ = time_statement("a @ b", {"a": a, "b": b}, min_seconds, threads)
    return 2 * 4 * COPY_FLOATS / copy, 2 * PRODUCT_SIZE**3 / product


def time_statement(
    statement: str, names: dict[str, torch.Tensor], min_seconds: float, threads: int
) -> tuple[float, int]:
    """Return the median seconds of a statement and how often it ran; torch's timer synchronises with the GPU."""
    measured = Timer(statement, globals=names, num_threads=threads).blocked_autorange(min_run_time=min_seconds)
    return measured.median, len(measured.times) * measured.number_per_run


if __name__ == "__main__":
    with step() as snakemake:
        benchmark_device(
            Path(snakemake.output.table),
            Path(snakemake.output.limits),
            sizes=snakemake.params.sizes,
            min_seconds=snakemake.params.min_seconds,
            threads=snakemake.threads,
        )
