from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from benchmarks.peers.systems import Peer

from benchmarks.peers import worker
from humanseg.system.errors import HumansegError, UsageError

IMAGE = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
BRIGHT = "image.mean(axis=2) / 255"


def test_messages__come_through_a_stream_one_after_the_other() -> None:
    stream = io.BytesIO()
    worker.send(stream, {"calls": 2}, IMAGE)
    worker.send(stream, {"text": "only"})
    worker.send(stream, {}, np.zeros((0, 3), dtype=np.bool_))
    stream.seek(0)
    first, second, third, end = (worker.receive(stream) for _ in range(4))
    assert first is not None
    assert second is not None
    assert third is not None
    assert first[0]["calls"] == 2
    np.testing.assert_array_equal(first[1], IMAGE)
    assert second == ({"text": "only", "bytes": 0}, None)
    assert third[1] is not None
    assert third[1].shape == (0, 3)
    assert end is None


@pytest.mark.parametrize("content", [b"not json\n", b"[1]\n", b'{"bytes": "x"}\n', b"{}\n"])
def test_receive__refuses_what_is_no_message(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"No message|Expecting"):
        worker.receive(io.BytesIO(content))


def test_receive__refuses_a_message_that_is_cut_short() -> None:
    stream = io.BytesIO()
    worker.send(stream, {}, IMAGE)
    with pytest.raises(ValueError, match="cut short"):
        worker.receive(io.BytesIO(stream.getvalue()[:-1]))


def test_receive__loads_no_pickles() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([object()]), allow_pickle=True)
    head = f'{{"bytes": {len(buffer.getvalue())}}}\n'.encode()
    with pytest.raises(ValueError, match="allow_pickle"):
        worker.receive(io.BytesIO(head + buffer.getvalue()))


def test_time_mask__cuts_probabilities_and_leaves_masks() -> None:
    soft = np.array([[0.49, 0.5]], dtype=np.float32)
    message, mask = worker.time_mask(lambda _: soft, IMAGE, 2)
    assert len(message["seconds"]) == 2
    assert mask is not None
    assert mask.tolist() == [[False, True]]
    hard = np.array([[True, False]])
    assert worker.time_mask(lambda _: hard, IMAGE, 1)[1] is hard


@pytest.fixture
def peer(adapter: Callable[..., Path]) -> Iterator[Callable[..., Peer]]:
    opened: list[Peer] = []

    def start(segment: str, **settings: str) -> Peer:
        opened.append(Peer(str(adapter(segment, **settings))))
        return opened[-1]

    yield start
    for system in opened:
        system.close()


def test_peer__finds_masks_in_another_process(peer: Callable[..., Peer]) -> None:
    system = peer(BRIGHT)
    for image in (IMAGE, IMAGE[:1, :1], np.full((300, 200, 3), 255, np.uint8)):
        mask, seconds = system.segment(image, 3)
        np.testing.assert_array_equal(mask, image.mean(axis=2) / 255 >= 0.5)
        assert len(seconds) == 3
        assert min(seconds) > 0
    assert system.name == "fake"
    assert system.settings["numpy"] == np.__version__
    assert system.settings["threshold"] == "0.5"
    assert "no-such-distribution" not in system.settings
    assert system.load_seconds > 0


def test_peer__does_not_see_this_packages_modules(peer: Callable[..., Peer]) -> None:
    with pytest.raises(UsageError, match="No module named 'records'"):
        peer(BRIGHT, load="import records")


def test_peer__that_cannot_load_says_why(peer: Callable[..., Peer]) -> None:
    with pytest.raises(UsageError, match=r"ModuleNotFoundError.*absent.*--python"):
        peer(BRIGHT, load="import absent")


def test_peer__that_raises_says_why(peer: Callable[..., Peer]) -> None:
    system = peer("1 / 0")
    with pytest.raises(HumansegError, match=r"fake: failed .ZeroDivisionError"):
        system.segment(IMAGE, 1)


def test_peer__that_dies_says_its_last_words(peer: Callable[..., Peer]) -> None:
    system = peer("(sys.stderr.write('gone wrong'), sys.stderr.flush(), __import__('os')._exit(3))")
    with pytest.raises(HumansegError, match=r"fake: its process ended .gone wrong"):
        system.segment(IMAGE, 1)
    with pytest.raises(HumansegError, match="its process ended"):
        system.segment(IMAGE, 1)


@pytest.mark.parametrize("segment", ["image > 3", "image[1:, :, 0] > 3"])
def test_peer__must_give_a_mask_of_the_pictures_size(
    peer: Callable[..., Peer], segment: str
) -> None:
    with pytest.raises(HumansegError, match=r"no mask of the image's size .7x5"):
        peer(segment).segment(IMAGE, 1)


def test_peer__close_ends_the_process(adapter: Callable[..., Path]) -> None:
    system = Peer(str(adapter(BRIGHT)))
    system.close()
    assert system._process.returncode == 0


def test_peer__unknown_name() -> None:
    with pytest.raises(UsageError, match="u2net: no such peer; give mediapipe"):
        Peer("u2net")


def test_peer__python_that_is_not_there(adapter: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="--python needs the Python interpreter"):
        Peer(str(adapter(BRIGHT)), python=Path("/nowhere/python"))


def test_mediapipe__not_installed_here_says_how(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mediapipe==0\.10\.14.*--python"):
        Peer("mediapipe")
