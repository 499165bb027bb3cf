"""POST /v1/segment and its batch: the same bytes and sentences as `humanseg predict`."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient
from tests.builders.segmenters import BrightIsPerson
from tests.builders.sent_images import bomb, drawn, packed

from humanseg import images
from humanseg.batch.runner import predict_image
from humanseg.cli import main
from humanseg.cli.network_flags import NetworkFlags
from humanseg.effects.effect import OutputName, effect_of
from humanseg.effects.encode import FormatName
from humanseg.serving.pool import Pool
from humanseg.system.errors import ImageError

JPEG = {"Content-Type": "image/jpeg"}
MakeClient = Callable[..., TestClient]


def _problem(response: httpx2.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == f"urn:humanseg:problem:{response.headers['Humanseg-Problem']}"
    return problem


@pytest.mark.parametrize(
    ("query", "output", "settings", "name", "quality"),
    [
        ("", "mask", {}, "png", None),
        ("threshold=0.9&largest=1", "mask", {"threshold": 0.9, "largest": True}, "png", None),
        ("output=probability", "probability", {}, "png", None),
        ("output=cutout&trim=1&feather=2.5", "cutout", {"trim": True, "feather": 2.5}, "png", None),
        ("output=cutout&format=webp", "cutout", {}, "webp", None),
        ("output=blur&blur_radius=3&quality=80", "blur", {"blur_radius": 3.0}, "jpg", 80),
        ("output=replace&background=red&format=png", "replace", {"background": "red"}, "png", None),
        ("output=probability&format=tiff", "probability", {}, "tiff", None),
        ("output=overlay&refine=true", "overlay", {"refine": True}, "jpg", None),
    ],
)  # fmt: skip
def test_segment__bytes_of_predict(
    client: TestClient,
    query: str,
    output: OutputName,
    settings: dict[str, Any],
    name: FormatName,
    quality: int | None,
) -> None:
    content = packed(quality=90)
    response = client.post(f"/v1/segment?{query}", content=content, headers=JPEG)
    expected, prediction = predict_image(
        content,
        segmenter=BrightIsPerson(),
        effect=effect_of(output, **settings),
        name=name,
        quality=quality,
    )
    assert response.status_code == 200, response.text
    assert response.content == expected
    media_type = {"jpg": "image/jpeg"}.get(name, f"image/{name}")
    assert response.headers["content-type"] == media_type
    assert response.headers["Humanseg-People"] == "yes"
    assert float(response.headers["Humanseg-Coverage"]) == pytest.approx(
        prediction.coverage, abs=1e-6
    )


def test_segment__says_when_nobody_was_found(client: TestClient) -> None:
    response = client.post("/v1/segment", content=packed(drawn(level=0)), headers=JPEG)
    assert response.headers["Humanseg-People"] == "no"
    assert response.headers["Humanseg-Coverage"] == "0.000000"


def test_segment__tells_what_was_done_to_the_picture(client: TestClient) -> None:
    frames = packed(drawn(), "GIF", save_all=True, append_images=[drawn(level=100)])
    response = client.post("/v1/segment", content=frames, headers={"Content-Type": "image/gif"})
    assert response.headers["Humanseg-Notes"] == "animated: first frame"


@pytest.mark.parametrize(
    ("accept", "query", "media_type"),
    [
        ("*/*", "", "image/png"),
        ("image/webp", "", "image/webp"),
        ("image/jpeg, image/webp;q=0.5", "", "image/webp"),  # jpeg holds no mask
        ("image/jpeg;q=0.1, image/png;q=0.9", "?output=blur", "image/png"),
        ("image/webp", "?output=blur&format=png", "image/png"),
        ("application/json;q=0.5, image/*;q=0.1", "?output=overlay", "image/jpeg"),
        ("image/png;q=0, */*", "", "image/webp"),
        ("*/*;q=0.1, image/*;q=0, image/tiff", "", "image/tiff"),
        (",", "", "image/png"),
    ],
)
def test_segment__format_by_accept(
    client: TestClient, accept: str, query: str, media_type: str
) -> None:
    response = client.post(
        f"/v1/segment{query}", content=packed(), headers={**JPEG, "Accept": accept}
    )
    assert response.headers["content-type"] == media_type
    Image.open(io.BytesIO(response.content)).load()


@pytest.mark.parametrize("accept", ["image/jpeg", "image/png;q=0", "image/*;q=0, */*"])
def test_segment__nothing_acceptable(client: TestClient, accept: str) -> None:
    response = client.post("/v1/segment", content=packed(), headers={**JPEG, "Accept": accept})
    assert response.status_code == 406
    assert "give image/png, image/webp, image/tiff." in _problem(response)["detail"]


def test_segment__form_with_options_and_a_background(client: TestClient) -> None:
    content, office = packed(), packed(Image.new("RGB", (30, 40), (10, 200, 30)), "PNG")
    files = {"image": ("a.jpg", content), "background": ("office.png", office)}
    response = client.post("/v1/segment", files=files, data={"output": "replace", "format": "png"})
    effect = effect_of("replace", background=office)
    expected, _ = predict_image(content, segmenter=BrightIsPerson(), effect=effect, name="png")
    assert response.content == expected
    assert tuple(np.asarray(Image.open(io.BytesIO(response.content)))[0, 0]) == (10, 200, 30)


@pytest.mark.parametrize("kind", ["path", "address"])
def test_segment__a_background_is_never_fetched(
    client: TestClient, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "secret.png").write_bytes(packed(kind="PNG"))
    given = str(tmp_path / "secret.png") if kind == "path" else "http://127.0.0.1/a.png"
    response = client.post(
        "/v1/segment", params={"output": "replace", "background": given}, content=packed(),
        headers=JPEG,
    )  # fmt: skip
    assert response.status_code == 422
    assert "give a colour, such as white" in _problem(response)["detail"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("threshold=2", "threshold: got 2; must be at least 0 and at most 1, or null."),
        ("quality=0", "quality: got 0; must be at least 1 and at most 100, or null."),
        ("quality=50", "quality has no effect on png, which is lossless; leave it out."),
        ("format=jpg", "jpg would blur the edge of a mask; for output mask use png, webp or tiff."),
        ("output=replace", "background: not given; replace needs a background: a colour or"),
        ("output=mask&output=blur", "output: given 2 times; give it once."),
        (
            "format=tiff&keep_metadata=all",
            "keep_metadata: tiff cannot take it here; use png, jpg or webp.",
        ),
    ],
)  # fmt: skip
def test_segment__bad_options(client: TestClient, query: str, sentence: str) -> None:
    response = client.post(f"/v1/segment?{query}", content=packed(), headers=JPEG)
    assert response.status_code == 422
    problem = _problem(response)
    assert problem["detail"].startswith(sentence)
    assert problem["type"] == "urn:humanseg:problem:bad-option"


def test_segment__unknown_and_idle_options_are_all_told(client: TestClient) -> None:
    response = client.post("/v1/segment?trim=1&thresh=0.5", content=packed(), headers=JPEG)
    assert response.status_code == 422
    threshold, trim = _problem(response)["errors"]
    assert trim.startswith("trim: got")
    assert "belongs to output cutout" in trim
    assert "threshold" in threshold


@pytest.mark.parametrize(
    ("query", "sentences"),
    [
        ("as=cutout", ["as: no such option; did you mean output?"]),
        ("qality=3", ["qality: no such option; did you mean quality?"]),
        (
            "threshold=2&quality=0&as=mask&background=a.png",
            [
                "as: no such option; did you mean output?",
                "quality: got 0; must be at least 1 and at most 100, or null.",
                "threshold: got 2; must be at least 0 and at most 1, or null.",
                "background: got 'a.png'; give a colour, such as white, #20a040 or 32,160,64, or "
                "send a picture as a part of the form.",
            ],
        ),
        (
            "output=yolo&quality=9&format=png",
            [
                "format has no effect on output yolo; leave it out.",
                "quality has no effect on output yolo; leave it out.",
            ],
        ),
    ],
)
def test_segment__all_that_is_wrong_with_options(
    client: TestClient, query: str, sentences: list[str]
) -> None:
    problem = _problem(client.post(f"/v1/segment?{query}", content=packed(), headers=JPEG))
    assert problem["detail"] == " ".join(sentences)
    assert problem.get("errors", [problem["detail"]]) == sentences


def test_segment__names_every_option_where_one_is_unknown(client: TestClient) -> None:
    response = client.post("/v1/segment?x=1", content=packed(), headers=JPEG)
    detail = _problem(response)["detail"]
    assert detail.startswith("x: no such option; there are output, threshold, ")
    assert detail.endswith(", format, quality, keep_metadata.")


BAD_IMAGES = {
    "empty": (b"", 415),
    "text": (b"this is no picture", 415),
    "damaged": (packed(quality=90)[:900], 422),
    "bomb": (bomb(), 413),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_segment__refuses_what_predict_refuses_with_its_sentence(
    client: TestClient, name: str
) -> None:
    content, status = BAD_IMAGES[name]
    with pytest.raises(ImageError) as refused:
        images.load(content)
    response = client.post("/v1/segment", content=content, headers=JPEG)
    assert response.status_code == status
    assert _problem(response)["detail"] == str(refused.value)


def test_segment__own_limit_of_pixels(client_of: MakeClient) -> None:
    client = client_of(max_pixels=10_000)
    response = client.post("/v1/segment", content=packed(drawn((100, 101))), headers=JPEG)
    assert response.status_code == 413
    sentence = "picture: 101x100 pixels; at most 10000 are allowed. Make it smaller first."
    assert _problem(response)["detail"] == sentence
    files = {"image": packed(drawn((50, 50))), "background": packed(drawn((100, 101)))}
    response = client.post("/v1/segment", files=files, data={"output": "replace"})
    assert _problem(response)["detail"] == sentence
    assert client.post("/v1/segment", content=packed(drawn((100, 100))), headers=JPEG).is_success


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"Content-Type": "text/plain"}, "Content-Type: got 'text/plain'; send the picture's"),
        ({}, "Content-Type: got ''; send the picture's bytes"),
        (JPEG | {"Content-Encoding": "gzip"}, "Content-Encoding: send the picture as it is."),
    ],
)  # fmt: skip
def test_segment__other_bodies(client: TestClient, headers: dict[str, str], sentence: str) -> None:
    response = client.post("/v1/segment", content=packed(), headers=headers)
    assert response.status_code == 415
    assert _problem(response)["detail"].startswith(sentence)


@pytest.mark.parametrize(
    ("files", "status", "sentence"),
    [
        ([("picture", b"x")], 422, "form: no file is expected as 'picture'; call pictures image."),
        ([("background", b"x")], 400, "form: there is no file in a part with the name image."),
        ([("image", b"x"), ("image", b"y")], 422, "image: given twice; send several to"),
        ([("image", b"x")] * 9, 413, "form: Too many files. Maximum number of files is 8."),
    ],
)
def test_segment__other_forms(
    client_of: MakeClient, files: list[tuple[str, bytes]], status: int, sentence: str
) -> None:
    response = client_of(max_parts=8).post("/v1/segment", files=files)
    assert response.status_code == status
    assert _problem(response)["detail"].startswith(sentence)


def test_segment__a_form_that_is_none(client: TestClient) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    response = client.post("/v1/segment", content=b"--y\r\n\r\n--y--", headers=kind)
    assert response.status_code == 400
    assert _problem(response)["type"].endswith("malformed-body")


@pytest.mark.parametrize("charset", ["undefined", "punycode"])
def test_segment__a_form_in_a_charset_that_cannot_be(client: TestClient, charset: str) -> None:
    kind = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    part = b'--x\r\nContent-Disposition: form-data; name="a-!"\r\n\r\n\r\n--x--\r\n'
    response = client.post("/v1/segment", content=part, headers=kind)
    assert response.status_code == 400
    problem = _problem(response)
    assert problem["type"].endswith("malformed-body")
    assert problem["detail"].startswith("form: cannot be decoded (")
    assert problem["detail"].endswith("); send it without a charset.")


def test_segment__bytes_are_counted_while_they_arrive(client_of: MakeClient) -> None:
    client = client_of(max_held_bytes=1000)
    response = client.post("/v1/segment", content=iter([bytes(500)] * 3), headers=JPEG)
    assert response.status_code == 413
    assert _problem(response)["detail"].startswith("The request has 1500 bytes; at most 1000 are")
    assert "humanseg_held_bytes 0.0" in client.get("/metrics").text


def test_segment__large_parts_stay_in_memory(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_disk(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file was opened")

    monkeypatch.setattr("tempfile.TemporaryFile", no_disk)
    noise = np.random.default_rng(0).integers(0, 256, (800, 1000, 3), dtype=np.uint8)
    content = packed(Image.fromarray(noise), "PNG")
    assert len(content) > 2_000_000
    assert client.post("/v1/segment", files={"image": content}).status_code == 200


LABELS = {
    "coco": ("application/json", "coco/annotations.json"),
    "yolo": ("text/plain; charset=utf-8", "yolo/labels/a.txt"),
    "labelme": ("application/json", "labelme/a.json"),
    "voc": ("image/png", "voc/SegmentationClass/a.png"),
}


@pytest.mark.parametrize("output", LABELS)
def test_segment__labels_of_predict(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    media_type, written = LABELS[output]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(NetworkFlags, "open", lambda *_, **__: BrightIsPerson())
    Path("a.jpg").write_bytes(packed())
    assert main(["predict", "a.jpg", "-o", output, "--as", output, "--quiet"]) == 0
    response = client.post(
        f"/v1/segment?output={output}", files={"image": ("a.jpg", Path("a.jpg").read_bytes())}
    )
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == media_type
    expected = Path(written).read_bytes()
    if output == "labelme":  # there the path leads from the labels to the picture
        expected = expected.replace(b"../a.jpg", b"a.jpg")
    assert response.content == expected
    assert response.headers["Humanseg-People"] == "yes"


def test_segment__labels_have_no_format(client: TestClient) -> None:
    response = client.post("/v1/segment?output=yolo&quality=9", content=packed(), headers=JPEG)
    assert _problem(response)["detail"] == "quality has no effect on output yolo; leave it out."
    headers = {**JPEG, "Accept": "image/png"}
    response = client.post("/v1/segment?output=coco", content=packed(), headers=headers)
    assert response.status_code == 406


def test_batch__results_by_number_and_what_is_told_of_each(client: TestClient) -> None:
    contents = [packed(quality=90), b"no picture", packed(drawn(level=0), "PNG")]
    names = ["../../a.jpg", "b.txt", "c.png"]
    files = [("image", pair) for pair in zip(names, contents, strict=True)]
    response = client.post("/v1/segment/batch?output=cutout", files=files)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.namelist() == ["0001.png", "0003.png", "results.json"]
        told = json.loads(archive.read("results.json"))
        for number in (1, 3):
            expected, _ = predict_image(
                contents[number - 1],
                segmenter=BrightIsPerson(),
                effect=effect_of("cutout"),
                name="png",
            )
            assert archive.read(f"{number:04}.png") == expected
    assert [row["input"] for row in told] == names
    assert [row["output"] for row in told] == ["0001.png", None, "0003.png"]
    assert [row.get("people") for row in told] == [True, None, False]
    assert told[1]["problem"]["detail"] == "picture: not a picture in a known format."


def test_batch__results_do_not_gather_in_memory(client_of: MakeClient) -> None:
    pools: list[Pool] = []
    held: list[int] = []

    class Watching(BrightIsPerson):
        """Remembers how many bytes are held while it works."""

        def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
            held.extend(pool.held for pool in pools)
            return super().find(image)

    client = client_of(Watching(), workers=1)
    pools.append(client.app.state.service.pool)  # type: ignore[attr-defined]
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    content = packed(Image.fromarray(noise), quality=5)
    files = [("image", content)] * 12
    response = client.post("/v1/segment/batch?output=overlay&format=tiff", files=files)
    assert response.status_code == 200
    assert "content-length" not in response.headers
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 13
        assert not any(entry.flag_bits & 8 for entry in archive.infolist())
        result = archive.getinfo("0001.tiff").file_size
    assert result > 10 * len(content)
    assert len(held) >= 12
    assert max(held) < 13 * len(content) + 3 * result
    assert "humanseg_held_bytes 0.0" in client.get("/metrics").text


def test_batch__more_pictures_than_are_ever_taken_on(client_of: MakeClient) -> None:
    client = client_of(queue=2)
    response = client.post("/v1/segment/batch", files=[("image", packed())] * 4)
    assert response.status_code == 413
    assert "Send fewer in a request." in _problem(response)["detail"]
    assert "Retry-After" not in response.headers


def test_batch__needs_a_form(client: TestClient) -> None:
    response = client.post("/v1/segment/batch", content=packed(), headers=JPEG)
    assert response.status_code == 415
    detail = _problem(response)["detail"]
    assert detail == "Content-Type: got 'image/jpeg'; send a form as multipart/form-data."
