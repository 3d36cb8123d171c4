"""The figures asked of the course's solvers, and whether this run reached them."""

from board import OURS, SKLEARN, SPAMS, Board

OMP = ("Gaussian signals, 5 atoms", "Gaussian signals, 10 atoms", "natural patches, 5 atoms")
LASSO = ("Gaussian signals", "natural patches")
LEARNED, DENOISED, MANY = "3 Dictionary learning", "4 Denoising", "5 Many signals"
ENOUGH = 32.0  # dB of 5 atoms per patch
BUDGET = "SPAMS: trainDL, about 0.8 s"
WAVELET = "scikit-image: BayesShrink"


def omp_group(case: str) -> str:
    return f"1 OMP, {case}"


def lasso_group(case: str) -> str:
    return f"2 Lasso at equal objective, {case}"


def lines(board: Board) -> list[str]:
    """One line for each figure: reached, not reached or not measured."""
    found = ["Asked and found:"]
    for case in OMP:
        group = omp_group(case)
        dense, sparse = f"OMP, {case}, dense codes", f"OMP, {case}, sparse codes"
        found.append(speed(board, dense, group, "ours: omp", SKLEARN, "asked", 10))
        found.append(speed(board, sparse, group, "ours: omp_atoms", SPAMS, "aim", 0.5))
    for case in LASSO:
        group = lasso_group(case)
        found.append(speed(board, f"lasso, {case}", group, "ours: lasso", SKLEARN, "asked", 2))
        found.append(speed(board, f"lasso, {case}", group, "ours: lasso", SPAMS, "aim", 1))
    ours = board.fastest(LEARNED, OURS)
    peers = {BUDGET: "a SPAMS run of about 0.8 s", "SPAMS: trainDL": "SPAMS's fastest way there"}
    for peer, words in peers.items():
        other = board.fastest(LEARNED, peer)
        value = ours.seconds / other.seconds if ours and other else None
        words = f"{ENOUGH} dB by a learned dictionary, seconds / those of {words}"
        found.append(line(words, value, "asked", most=1.5))
    ours, wavelet = board.fastest(DENOISED, OURS), board.fastest(DENOISED, WAVELET)
    value = ours.value - wavelet.value if ours and wavelet else None
    found.append(line("denoising, dB above BayesShrink", value, "asked", least=2.0))
    found.append(line("denoising, seconds per image", ours and ours.seconds, "asked", most=5))
    many = [row for row in board.rows if row.group == MANY]
    value = many[0].rate / many[-1].rate if len(many) > 1 else None
    ends = f"{many[-1].signals:,} / {many[0].signals:,}" if many else "1,000,000 / 10,000"
    found.append(line(f"many signals, seconds per signal at {ends}", value, "asked", most=1.25))
    return found


def speed(
    board: Board, words: str, group: str, ours: str, peer: str, kind: str, least: float
) -> str:
    """How many times as fast ours is as the fastest of a peer."""
    mine, other = board.fastest(group, ours), board.fastest(group, peer)
    value = mine.rate / other.rate if mine and other else None
    return line(f"{words}, speed / that of {peer}", value, kind, least=least)


def line(words: str, value: float | None, kind: str, least: float = 0, most: float = 0) -> str:
    """A figure with what was asked of it."""
    wanted = f"{kind}: at most {most:g}" if most else f"{kind}: at least {least:g}"
    if value is None:
        return f"  not measured   {words} ({wanted})"
    reached = value <= most if most else value >= least
    return f"  {'reached' if reached else 'NOT REACHED':<13}{value:>7.2f}  {words} ({wanted})"
