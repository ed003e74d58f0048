"Images and videos as cameras, sonars and disks hand them over: read right, or one line that says why not."
import os
import struct
import unicodedata
import warnings
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from ocean_fastai.core import ImageError, OceanError
from ocean_fastai.geometry import Geometry
from ocean_fastai.images import IMAGE_FORMATS, cache_images, open_image
from ocean_fastai.infer import items
from ocean_fastai.infer.items import Reader, list_items, read_ahead, video_times

def film(path, n=35, rate=10, code="mp4v"):
    "A video whose frame k has the brightness 7k."
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), rate, (96, 64))
    for k in range(n): writer.write(np.full((64, 96, 3), 7*k, np.uint8))
    writer.release()
    return path

def boxes(data, start, end):
    "MP4 boxes between two offsets: kind, first byte, byte after the last."
    while start < end:
        size,kind = struct.unpack(">I4s", data[start:start + 8])
        yield kind,start,start + size
        start += size

def retimed(path, steps):
    "Give the frames of an MP4 file other durations: (frames, seconds)..., as cameras with a variable rate write them."
    data = path.read_bytes()
    parents,start,end,scale = [],0,len(data),0
    for want in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        for kind,a,b in boxes(data, start, end):
            if kind == b"mdhd": scale = struct.unpack(">I", data[a + 20:a + 24])[0]
            if kind == want: found = a,b
        parents.append(found[0])
        start,end = found[0] + 8,found[1]
    table = b"".join(struct.pack(">II", n, round(s*scale)) for n,s in steps)
    new = struct.pack(">I4sII", 16 + len(table), b"stts", 0, len(steps)) + table
    grown = bytearray(data[:found[0]] + new + data[found[1]:])
    for at in parents[:-1]: struct.pack_into(">I", grown, at, struct.unpack(">I", data[at:at + 4])[0] + len(new) - (found[1] - found[0]))
    path.write_bytes(bytes(grown).replace(b"edts", b"free")) # The edit list would cut what is longer now
    return path

@pytest.fixture(scope="module")
def clip(tmp_path_factory): return film(tmp_path_factory.mktemp("clips")/"dive.mp4")

@pytest.mark.parametrize("again", range(4))
def test_four_threads_read_one_video(clip, again):
    df = list_items(clip, every_s=.1)
    reader = Reader(df, Geometry())
    ahead = list(read_ahead(reader, range(len(df)), workers=4, wait=9))
    with ThreadPoolExecutor(4) as pool: shared = list(pool.map(Reader(df, Geometry()), range(len(df))))
    for out in (ahead, shared):
        assert [t for _,t,_ in out] == df.time.tolist() and not any(error for *_,error in out)
        assert np.abs([pixels.mean() - 7*k for k,(pixels,*_) in enumerate(out)]).max() < 4

FRAMES = {"fast then slow": (((30, .1), (4, 1.)), [0, 1, 2, 3, 4, 5, 6]), "slow then fast": (((4, 1.), (30, .1)), [0, 1, 2, 3, 4, 5, 6]),
          "paused": (((20, .1), (1, 4.), (13, .1)), [0, 1, 2, 6, 7])}

@pytest.mark.parametrize("case", FRAMES)
@pytest.mark.parametrize("small", [0, items._SMALL])
def test_times_of_a_variable_rate_are_the_frames_own(tmp_path, monkeypatch, case, small):
    monkeypatch.setattr(items, "_SMALL", small)
    steps,want = FRAMES[case]
    n = sum(k for k,_ in steps)
    path = retimed(film(tmp_path/"clip.mp4", n), steps)
    own = np.cumsum([0, *np.repeat([s for _,s in steps], [k for k,_ in steps])])[:n]
    np.testing.assert_allclose(video_times(path), want, atol=.01)
    df = list_items(path)
    read = [Reader(df, Geometry())(i) for i in range(len(df))]
    assert [t for _,t,_ in read] == df.time.tolist() and not any(error for *_,error in read)
    for pixels,t,_ in read: assert abs(pixels.mean() - 7*np.abs(own - t).argmin()) < 4

def test_a_header_that_tells_too_few_or_too_many_frames(clip, monkeypatch):
    class Wrong:
        def __init__(self, path): self.video = cv2_capture(path)
        def __getattr__(self, name): return getattr(self.video, name)
        def get(self, what): return count if what == cv2.CAP_PROP_FRAME_COUNT else self.video.get(what)
    cv2_capture = cv2.VideoCapture
    monkeypatch.setattr(items.cv2, "VideoCapture", Wrong)
    monkeypatch.setattr(items, "_SMALL", 0)
    for count in (20, 90, -1): assert video_times(clip) == [0, 1, 2, 3]

def test_a_true_header_is_believed(clip, monkeypatch):
    monkeypatch.setattr(items, "_SMALL", 0)
    monkeypatch.setattr(items, "_stream_times", lambda *a: pytest.fail("read through"))
    assert video_times(clip) == [0, 1, 2, 3]

def test_times_given_by_a_person_become_the_frames_own(clip):
    import pandas as pd
    df = list_items(pd.DataFrame({"path": [str(clip)]*3, "time": [1.04, 2.98, 50]}))
    assert df.time.tolist() == [1, 3, 50]
    assert "can't be read at 50 s" in Reader(df, Geometry())(2)[2]

@pytest.mark.parametrize("numbers,says", [(np.int16([[-64, -1]]), "from -64 to -1"), (np.int32([[0, 255]]), "from 0 to 255"),
    (np.uint16([[0, 4000]]), "small part of 16 bits"), (np.float32([[0, 1]]), "floating-point"), (np.float64([[0, 1]]), "64-bit floats")])
def test_numbers_without_a_scale(tmp_path, numbers, says):
    path = tmp_path/"sonar.tif"
    cv2.imwrite(str(path), numbers)
    with pytest.raises(ImageError, match=says) as e: open_image(path)
    assert "can't be read as pixels" in e.value.reason and "value_range=" in e.value.reason and "damaged" not in e.value.reason
    low,high = float(numbers.min()),float(numbers.max())
    assert np.asarray(open_image(path, value_range=(low, high)))[0, :, 0].tolist() == [0, 255]
    assert np.asarray(open_image(path, Geometry(value_range=(low, high))))[0, :, 0].tolist() == [0, 255]

def test_sixteen_bit_colours_that_hold_twelve(tmp_path):
    for ending in ("png", "tif"):
        path = tmp_path/f"colour.{ending}"
        cv2.imwrite(str(path), np.uint16([[[0, 0, 0], [1000, 2000, 4000]]])) # blue, green, red
        with pytest.raises(ImageError, match="small part of 16 bits"): open_image(path)
        assert np.asarray(open_image(path, value_range=(0, 4000)))[0, 1].tolist() == [255, 128, 64]
        cv2.imwrite(str(path), np.uint16([[[0, 0, 0], [1000, 2000, 40_000]]]))
        assert open_image(path).getpixel((1, 0))[0] in (155, 156)

def test_a_fourth_band_that_is_no_transparency(tmp_path):
    im = Image.fromarray(np.dstack([np.full((4, 5, 3), (200, 90, 40), np.uint8), np.full((4, 5), 51, np.uint8)]), "RGBA")
    im.save(tmp_path/"alpha.tif")
    data,entry = (tmp_path/"alpha.tif").read_bytes(),struct.pack("<HHIH", 338, 3, 1, 2) # ExtraSamples: transparency
    assert data.count(entry) == 1
    for name,other in (("infrared.tif", (338, 3, 1, 0)), ("untold.tif", (40_000, 3, 1, 0))): # Unspecified; no such tag at all
        (tmp_path/name).write_bytes(data.replace(entry, struct.pack("<HHIH", *other)))
        assert open_image(tmp_path/name).getpixel((0, 0)) == (200, 90, 40)
    assert max(open_image(tmp_path/"alpha.tif").getpixel((0, 0))) < 60

def test_postscript_under_another_name_starts_no_program(tmp_path, monkeypatch):
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *a, **kw: pytest.fail("Ghostscript was started"))
    (tmp_path/"photo.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(ImageError, match="not an image"): open_image(tmp_path/"photo.jpg")
    assert "EPS" not in IMAGE_FORMATS

def test_every_suffix_is_read_or_counted(tmp_path):
    im = Image.new("RGB", (16, 16), "teal")
    for name in ("a.jfif", "b.jpe", "c.ppm", "d.JPG", "e.jp2"): im.save(tmp_path/name, {".JPG": "JPEG", ".jfif": "JPEG", ".jpe": "JPEG"}.get("." + name[2:]))
    film(tmp_path/"f.flv", code="FLV1")
    for name in ("g.heic", "h.HEIC", "i.cr2", "labels.csv", "notes.txt"): (tmp_path/name).write_text("x")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        df = list_items(tmp_path)
    assert [str(w.message) for w in said] == [f"{tmp_path}: 3 files passed over: .heic 2, .cr2 1"]
    assert df.path.str[-4:].unique().tolist() == ["jfif", ".jpe", ".ppm", ".JPG", ".jp2", ".flv"] and df.time.notna().sum() == 4
    read = Reader(df, Geometry(size=8))
    assert not any(read(i)[2] for i in range(len(df)))
    with pytest.raises(OceanError, match=r"\.jfif.* videos in .*\.flv"): list_items(tmp_path/"g.heic")
    assert ".mxf" in Reader(list_items([tmp_path/"g.heic"]), Geometry())(0)[2]

def test_each_real_folder_is_read_once(tmp_path):
    (tmp_path/"survey"/"a").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(tmp_path/"survey"/"a"/"x.png"), Image.new("RGB", (9, 9)).save(tmp_path/"outside.png")
    for name,to in (("back", ".."), ("round", "."), ("up", "../..")): (tmp_path/"survey"/"a"/name).symlink_to(to)
    assert [os.path.relpath(p, tmp_path) for p in list_items(tmp_path/"survey").path] == ["survey/a/x.png"]

def test_names_in_another_unicode_form_or_another_case(tmp_path):
    Image.new("RGB", (9, 9), "teal").save(tmp_path/unicodedata.normalize("NFD", "cámara.PNG"))
    (tmp_path/"m.csv").write_text("path\n" + unicodedata.normalize("NFC", "cámara.png\n"), encoding="utf-8")
    df = list_items(tmp_path/"m.csv")
    assert Reader(df, Geometry())(0)[2] is None
    assert cache_images(df, tmp_path/"cache", progress=False).error.isna().all()

@pytest.mark.skipif(os.name != "posix", reason="names of bytes are POSIX's")
def test_a_name_that_is_not_utf8_can_be_written_and_read(tmp_path):
    raw = os.fsencode(tmp_path) + b"/estaci\xf3n.png"
    try: open(raw, "wb").close()
    except OSError: pytest.skip("this disk takes UTF-8 alone")
    Image.new("RGB", (9, 9), "teal").save(raw.decode("utf-8", "surrogateescape"))
    df = list_items(tmp_path)
    df.to_csv(tmp_path/"items.csv", index=False)
    assert Reader(list_items(tmp_path/"items.csv"), Geometry())(0)[2] is None
    assert Reader(list_items(df.path.tolist()), Geometry())(0)[2] is None

def test_names_that_are_too_long(tmp_path):
    for name in ("x"*300 + ".png", "x"*300 + ".mp4"):
        with pytest.raises(OceanError, match="no such file or folder"): list_items(tmp_path/name)
        assert Reader(list_items([tmp_path/name]), Geometry())(0)[2] == "no such file"

def test_class_names_of_another_script(tmp_path):
    from jobs import TINY, ok
    from ocean_fastai.fonts import fonts_for
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fonts_for(["砂地", "岩礁"])
    rng = np.random.default_rng(0)
    for label in ("砂地", "岩礁"):
        (tmp_path/"in"/label).mkdir(parents=True)
        for k in range(6): Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)).save(tmp_path/"in"/label/f"{label}{k}.png")
    if said: pytest.skip("this system has no font for Japanese")
    _,err = ok("train", tmp_path/"in", *TINY[2:], "--out", tmp_path/"run")
    assert "Glyph" not in err and "font" not in err and (tmp_path/"run"/"report.html").is_file()
