"""`weir validate` against GDAL's validator, with its full check of leaders and trailers, and rio-cogeo's: on good files of several
writers, on every stored file, and on COGs that are damaged in one place each. Where one of them finds fault, so does Weir; where Weir
finds fault alone, it is for what only Weir looks at."""

import json
import pathlib
import shutil
import subprocess
import sys

import numpy
from osgeo import gdal
from osgeo_utils.samples import validate_cloud_optimized_geotiff

from support import checks, plain_tiff
from support.tiff_patch import BYTE_COUNTS, OFFSETS, Patched

gdal.UseExceptions()

# What only Weir finds fault with. GDAL reads nothing of a trailer beyond the end and takes that for agreement, lets tiles lie over each
# other or over directories where they have no leaders, and forgets the tile before a sparse one.
BEYOND_GDAL = {"tile-outside-file", "tiles-overlap", "tile-over-directory", "tile-order"}
# rio-cogeo looks at the first tile of each level alone, and reads one line of the ghost area.
BEYOND_COGEO = BEYOND_GDAL | {"tile-leader", "tile-trailer", "mask-place", "ghost-area", "first-directory-offset"}
BASE = checks.SCRATCH / "base"
agreed = {"GDAL": 0, "rio-cogeo": 0}
alone = {"GDAL": set(), "rio-cogeo": set()}
passing = {"GDAL": 0, "rio-cogeo": 0}
silent = 0  # files that rio-cogeo fails on itself


def weir_says(path, *flags):
    done = subprocess.run([checks.WEIR, "validate", "--json", *flags, path], capture_output=True, text=True, timeout=120)
    said = json.loads(done.stdout)[0]
    if said["valid"] != (done.returncode == 0) or done.returncode not in (0, 1):
        raise RuntimeError(f"exit code {done.returncode}, valid {said['valid']}, {done.stderr}")
    return said


def names(said, severity="error"):
    return {problem["name"] for problem in said["problems"] if problem["severity"] == severity}


def gdal_says(path):
    """(errors, warnings)"""
    gdal.PushErrorHandler("CPLQuietErrorHandler")
    try:
        warnings, errors, _ = validate_cloud_optimized_geotiff.validate(str(path), full_check=True)
        return errors, warnings
    except Exception as error:  # of a file that ends too early it unpacks what it could not read
        return [f"{type(error).__name__}: {error}"], []
    finally:
        gdal.PopErrorHandler()


class Cogeo:
    """rio-cogeo in its own process; says nothing where PyPI could not be reached."""

    def __init__(self):
        self.process = None
        if checks.VENV_PYTHON:
            program = pathlib.Path(__file__).parent / "support/cogeo.py"
            self.process = subprocess.Popen([checks.VENV_PYTHON, "-u", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, text=True)

    def says(self, path):
        if self.process is None:
            return None
        print(path, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


cogeo = Cogeo()


def compare(name, path, cogeo_alone=""):
    """`cogeo_alone`: why rio-cogeo finds fault with a good file."""
    global silent
    said = weir_says(path)
    errors, problems = names(said), []
    gdal_errors, gdal_warnings = gdal_says(path)
    if gdal_errors and not errors:
        problems.append(f"only GDAL finds fault: {gdal_errors}")
    elif errors and not gdal_errors and not errors <= BEYOND_GDAL:
        problems.append(f"GDAL finds no fault, Weir {errors}")
    elif bool(errors) == bool(gdal_errors):
        agreed["GDAL"] += 1
    else:
        alone["GDAL"] |= errors
        passing["GDAL"] += 1
    if not gdal_errors and gdal_warnings and "no-overviews" not in names(said, "warning"):
        problems.append(f"only GDAL warns: {gdal_warnings}")
    verdict = cogeo.says(path)
    if verdict is None:
        silent += 1
    else:
        is_valid, cogeo_errors, cogeo_warnings = verdict
        if is_valid and cogeo_alone:
            problems.append("rio-cogeo finds no fault any more")
        if not is_valid and not errors:
            if not cogeo_alone:
                problems.append(f"only rio-cogeo finds fault: {cogeo_errors}")
        elif errors and is_valid and not errors <= BEYOND_COGEO:
            problems.append(f"rio-cogeo finds no fault, Weir {errors}")
        elif bool(errors) != is_valid:
            agreed["rio-cogeo"] += 1
        else:
            alone["rio-cogeo"] |= errors
            passing["rio-cogeo"] += 1
        if is_valid and cogeo_warnings and not names(said, "warning"):
            problems.append(f"only rio-cogeo warns: {cogeo_warnings}")
    checks.check(name, problems)
    return said


def made_source(size, samples=1, has_mask=False):
    rows, columns = size
    row, column, sample = numpy.ogrid[:rows, :columns, :samples]
    random = numpy.random.default_rng(rows + columns)
    pixels = 100 + 50 * numpy.sin(row / 40) + 40 * numpy.cos(column / 31) + 9 * sample + random.integers(0, 8, (rows, columns, samples))
    path = checks.SCRATCH / "source.tif"
    path.unlink(missing_ok=True)
    plain_tiff.write(path, pixels.astype("uint8"), photometric=2 if samples == 3 else 1)
    if has_mask:
        gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", "YES")
        raster = gdal.Open(str(path), gdal.GA_Update)
        raster.CreateMaskBand(gdal.GMF_PER_DATASET)
        raster.GetRasterBand(1).GetMaskBand().WriteArray(numpy.where(numpy.indices(size).sum(axis=0) % 600 < 400, 255, 0).astype("uint8"))
    return path


def good_of_weir():
    for size, samples, has_mask, flags, cogeo_alone in [
            ((1, 1), 1, False, [], ""),
            ((700, 900), 1, False, ["--tile", "128"], ""),
            ((700, 900), 3, True, ["--tile", "128", "--compress", "deflate"], ""),
            ((700, 900), 1, True, ["--tile", "64", "--compress", "none", "--bigtiff", "yes"], ""),
            ((1300, 600), 2, False, ["--tile", "256", "--pack", "holes"], ""),
            ((600, 600), 1, False, ["--tile", "608"], ""),
            ((1024, 1024), 1, False, ["--tile", "1024"], "a tile as wide as the picture is a strip to it"),
            ((3000, 1), 1, False, ["--tile", "64"], "overviews of one column have the factor 1 to it")]:
        source, target = made_source(size, samples, has_mask), checks.SCRATCH / "good.tif"
        checks.weir("convert", source, target, "--to", "cog", *flags, "--overwrite", "--quiet")
        said = compare(f"Weir's COG {size} x{samples}{' masked' if has_mask else ''} {' '.join(flags)}", target, cogeo_alone)
        if said["errors"]:
            checks.not_ok("Weir's COG is valid", said)


def good_of_gdal():
    for size, samples, has_mask, options in [
            ((700, 900), 1, False, ["BLOCKSIZE=128"]),
            ((700, 900), 3, False, ["BLOCKSIZE=128", "COMPRESS=JPEG"]),
            ((700, 900), 3, True, ["BLOCKSIZE=128", "COMPRESS=JPEG"]),
            ((700, 900), 3, True, ["BLOCKSIZE=256", "COMPRESS=DEFLATE", "PREDICTOR=YES"]),
            ((700, 900), 1, False, ["BLOCKSIZE=128", "COMPRESS=LZW", "BIGTIFF=YES"]),
            ((700, 900), 1, True, ["BLOCKSIZE=512", "COMPRESS=ZSTD"]),
            ((700, 900), 1, False, ["BLOCKSIZE=128", "OVERVIEWS=NONE"]),
            ((3000, 20), 1, False, ["BLOCKSIZE=128"]),
            ((400, 400), 1, False, ["BLOCKSIZE=512"])]:
        target = checks.SCRATCH / "good.tif"
        gdal.Translate(str(target), str(made_source(size, samples, has_mask)), format="COG", creationOptions=options)
        said = compare(f"GDAL's COG {size} x{samples}{' masked' if has_mask else ''} {' '.join(options)}", target)
        if said["errors"]:
            checks.not_ok("GDAL's COG is valid", said)
    # The way before there was a COG driver: no ghost area.
    plain = checks.SCRATCH / "plain.tif"
    gdal.Translate(str(plain), str(made_source((1500, 1300))), creationOptions=["TILED=YES", "COMPRESS=DEFLATE"])
    compare("a tiled file without overviews", plain)
    gdal.Open(str(plain), gdal.GA_Update).BuildOverviews("AVERAGE", [2, 4, 8])
    compare("a file that gdaladdo has given overviews", plain)
    target = checks.SCRATCH / "copied.tif"
    gdal.Translate(str(target), str(plain), creationOptions=["TILED=YES", "COMPRESS=DEFLATE", "COPY_SRC_OVERVIEWS=YES"])
    compare("a copy with its overviews", target)
    beside = checks.SCRATCH / "beside.tif"
    gdal.Translate(str(beside), str(made_source((1500, 1300))), creationOptions=["TILED=YES"])
    gdal.Open(str(beside)).BuildOverviews("AVERAGE", [2, 4])
    compare("overviews in another file", beside)
    for columns in (500, 900, 1300):
        strips = checks.SCRATCH / f"strips{columns}.tif"
        gdal.Translate(str(strips), str(made_source((1500, columns))))
        gdal.Open(str(strips), gdal.GA_Update).BuildOverviews("AVERAGE", [2, 4])
        compare(f"strips of {columns} columns", strips)


def swap_tiles(file, directory, first=0, second=1):
    for tag in (OFFSETS, BYTE_COUNTS):
        file.swap(directory, tag, first, second)


def swap_links(file):
    """The two overviews, in the chain."""
    first, second, rest = (file.get(link, file.word) for link in file.links[1:4])
    file.put(file.links[1], file.word, second)
    file.put(file.links[3], file.word, first)
    file.put(file.links[2], file.word, rest)


def replace(old, new):
    def damage(file):
        assert len(old) == len(new) and file.bytes.count(old) == 1
        file.bytes[:] = file.bytes.replace(old, new)
    return damage


def cut(share):
    def damage(file):
        del file.bytes[int(len(file.bytes) * share):]
    return damage


def flip(file, position):
    file.bytes[position] ^= 0x55


def drop_tile(file, directory):
    file.set(directory, OFFSETS, 1, 0)
    file.set(directory, BYTE_COUNTS, 1, 0)


def fill_hole(file, directory, add):
    """Everything of full resolution moves back; what is in front of it is a hole."""
    first = min(offset for offset in file.values(directory, OFFSETS) if offset) - 4
    file.bytes[first:first] = bytes(add)
    for index, offset in enumerate(file.values(directory, OFFSETS)):
        file.set(directory, OFFSETS, index, offset + add)


def nothing_promised(file):
    file.bytes[:] = file.bytes.replace(b"BLOCK_", b"BLOXX_")


def overlap(file):
    nothing_promised(file)
    file.set(0, OFFSETS, 1, file.tile(0, 0)[0] + 5)


def over_directory(file):
    nothing_promised(file)
    file.set(0, OFFSETS, 1, file.places[1])


def damaged():
    """(name, wanted errors, damage) of files with the levels 0, 1 and 2 as directories. No error: it is valid all the same."""
    last = len(Patched(BASE / "plain.tif").directories) - 1
    yield "nothing", set(), lambda file: None
    for level in (0, 1, last):
        yield f"a leader of level {level}", {"tile-leader"}, lambda file, level=level: flip(file, file.tile(level, 0)[0] - 2)
        yield f"a trailer of level {level}", {"tile-trailer"}, lambda file, level=level: flip(file, sum(file.tile(level, 0)) + 1)
        yield f"a byte count of level {level}", {"tile-leader"}, lambda file, level=level: file.set(
            level, BYTE_COUNTS, 0, file.tile(level, 0)[1] - 1)
        yield f"an offset of level {level}", {"tile-leader"}, lambda file, level=level: file.set(
            level, OFFSETS, 0, file.tile(level, 0)[0] + 1)
        yield f"an offset beyond the file, level {level}", {"tile-outside-file"}, lambda file, level=level: file.set(
            level, OFFSETS, 0, len(file.bytes) + 100)
        if level < last:
            yield f"order of tiles, level {level}", {"tile-order"}, lambda file, level=level: swap_tiles(file, level)
            yield f"a sparse tile, level {level}", set(), lambda file, level=level: drop_tile(file, level)
    yield "order of tiles around a sparse one", {"tile-order"}, lambda file: (swap_tiles(file, 0, 0, 2), drop_tile(file, 0))
    yield "a tile moved to the end", {"tile-order"}, lambda file: file.move_tile(0, 1)
    yield "a byte of a tile's end", {"tile-trailer"}, lambda file: flip(file, sum(file.tile(1, 0)) - 1)
    yield "the edition", {"known-incompatible-edition"}, replace(b"EDITION=NO\n ", b"EDITION=YES\n")
    yield "the size of the ghost area", {"first-directory-offset"}, replace(b"_SIZE=000", b"_SIZE=001")
    yield "the number of the ghost area", {"ghost-area"}, replace(b"_SIZE=000", b"_SIZE=x00")
    yield "the name of the ghost area", {"first-directory-offset"}, replace(b"GDAL_STRUCTURAL", b"GDAL_STRUCTURED")
    yield "the ghost area promises nothing", set(), nothing_promised
    yield "the first directory at the end", {"first-directory-offset"}, lambda file: file.move_directory(0)
    yield "the second directory at the end", {"directory-order"}, lambda file: file.move_directory(1)
    yield "the last directory at the end", {"data-before-directories"}, lambda file: file.move_directory(last)
    yield "overviews in the wrong order", {"overview-larger", "directory-order", "data-order"}, swap_links
    yield "no overviews", set(), lambda file: file.put(file.links[1], file.word, 0)
    yield "an overview behind full resolution", {"data-order", "tile-order"}, lambda file: file.move_tile(last, 0)
    yield "an overview larger than its image", {"overview-larger"}, lambda file: file.put(
        file.directories[1][256].position, SIZE_OF_WIDTH[file.directories[1][256].kind], 1001)
    yield "a hole in front of full resolution", set(), lambda file: fill_hole(file, 0, 1 << 20)
    yield "half of the file", {"tile-outside-file"}, cut(0.5)
    yield "a tenth of the file", {"tile-outside-file"}, cut(0.1)
    yield "without its last byte", {"tile-outside-file"}, lambda file: file.bytes.pop()
    yield "overlapping tiles", {"tiles-overlap"}, overlap
    yield "a tile in a directory", {"tile-over-directory"}, over_directory


SIZE_OF_WIDTH = {3: 2, 4: 4}


def check_damage(base, name, wanted, damage):
    file, target = Patched(BASE / f"{base}.tif"), checks.SCRATCH / "damaged.tif"
    damage(file)
    file.write(target)
    said = compare(f"damaged, {base}: {name}", target)
    got = names(said)
    if not (wanted & got if wanted else not got):
        checks.not_ok(f"damaged, {base}: {name} is named", f"wanted {wanted}, got {said['problems'][:3]}")


def damage_each():
    BASE.mkdir(exist_ok=True)
    checks.weir("convert", made_source((1300, 1000)), BASE / "plain.tif", "--to", "cog", "--tile", "256", "--quiet", "--overwrite")
    checks.weir("convert", made_source((1300, 1000)), BASE / "big.tif", "--to", "cog", "--tile", "256", "--bigtiff", "yes", "--quiet",
                "--overwrite")
    gdal.Translate(str(BASE / "gdal.tif"), str(made_source((1300, 1000))), format="COG",
                   creationOptions=["BLOCKSIZE=256", "COMPRESS=DEFLATE"])
    for base in ("plain", "big", "gdal"):
        for name, wanted, damage in damaged():
            check_damage(base, name, wanted, damage)


def damage_masks():
    checks.weir("convert", made_source((700, 900), 3, True), BASE / "masked.tif", "--to", "cog", "--tile", "128", "--quiet", "--overwrite")
    gdal.Translate(str(BASE / "gdal_masked.tif"), str(made_source((700, 900), 3, True)), format="COG",
                   creationOptions=["BLOCKSIZE=128", "COMPRESS=DEFLATE"])
    for base in ("masked", "gdal_masked"):
        for name, wanted, damage in [
                ("nothing", set(), lambda file: None),
                ("two tiles of the mask", {"mask-place"}, lambda file: swap_tiles(file, 1)),
                ("two tiles of an overview's mask", {"mask-place"}, lambda file: swap_tiles(file, 3)),
                ("a mask's tile at the end", {"mask-place"}, lambda file: file.move_tile(1, 1)),
                ("a leader of a mask", {"tile-leader"}, lambda file: flip(file, file.tile(1, 0)[0] - 3)),
                ("a trailer of a mask", {"tile-trailer"}, lambda file: flip(file, sum(file.tile(3, 0)) + 1)),
                ("a sparse tile with a mask", set(), lambda file: drop_tile(file, 0)),
                ("a mask's directory at the end", set(), lambda file: file.move_directory(1))]:
            check_damage(base, name, wanted, damage)


def edited():
    """What GDAL itself makes of COGs that it edits."""
    target = checks.SCRATCH / "edited.tif"
    for name, edit in [("new pixels", lambda raster: raster.GetRasterBand(1).WriteArray(numpy.full((300, 300), 9, "uint8"), 10, 10)),
                       ("new metadata", lambda raster: raster.SetMetadataItem("title", "x" * 3000)),
                       ("new overviews", lambda raster: raster.BuildOverviews("NEAREST", [2, 4, 8, 16]))]:
        for base in ("plain", "gdal"):
            shutil.copy(BASE / f"{base}.tif", target)
            gdal.PushErrorHandler("CPLQuietErrorHandler")
            try:
                raster = gdal.OpenEx(str(target), gdal.OF_UPDATE, open_options=["IGNORE_COG_LAYOUT_BREAK=YES"])
                edit(raster)
                del raster
            finally:
                gdal.PopErrorHandler()
            compare(f"edited by GDAL, {base}: {name}", target)


def stored_files():
    for path in sorted(checks.DATA.glob("*.tif*")):
        if path.suffix in (".tif", ".tiff"):
            compare(f"stored file {path.name}", path)


def decoding_agrees():
    """A tile with a wrong byte in the middle passes every validator; who decodes it sees it, as GDAL does."""
    target = checks.SCRATCH / "undecodable.tif"
    for level in (0, 1, 2):
        file = Patched(BASE / "plain.tif")
        offset, size = file.tile(level, 0)
        for at in range(offset + size // 3, offset + size // 3 + 40):
            flip(file, at)
        file.write(target)
        said, decoded = compare(f"a broken tile of level {level} is no layout", target), weir_says(target, "--decode")
        problems = [] if not said["errors"] and names(decoded) == {"tile-decode"} and decoded["errors"] == 1 else [str(decoded)]
        try:
            raster = gdal.Open(str(target))
            band = raster.GetRasterBand(1)
            (band if level == 0 else band.GetOverview(level - 1)).ReadAsArray()
            problems.append("GDAL decodes it")
        except RuntimeError:
            pass
        checks.check(f"--decode finds a broken tile of level {level}", problems)
    for base in ("plain", "big", "gdal", "masked", "gdal_masked"):
        checks.check(f"--decode finds nothing in {base}", weir_says(BASE / f"{base}.tif", "--decode")["problems"])


good_of_weir()
good_of_gdal()
damage_each()
damage_masks()
edited()
stored_files()
decoding_agrees()
for peer, count in agreed.items():
    print(f"# {peer}: {count} verdicts agree; {passing[peer]} files pass there alone, with errors {', '.join(sorted(alone[peer]))}")
print(f"# rio-cogeo says nothing of {silent} files")
if cogeo.process is None:
    checks.skip("rio-cogeo", "PyPI could not be reached")
checks.finish()
