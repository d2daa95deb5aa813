"""Where a raster lies: GDAL reads the CRS that `weir convert --crs` was given, the same GeoKeys as GDAL's own file of
that CRS has, and the same transforms, points and windows."""

import itertools
import json
import struct
import subprocess
import sys

from osgeo import gdal, osr

from support import checks

gdal.UseExceptions()
osr.UseExceptions()
SCRATCH = checks.SCRATCH

# Projected ones of every method that EPSG has many of, in metres, feet, grads, with odd axes; geographic, geocentric.
EPSG = [
    32633, 32725, 25832, 2154, 27700, 27572, 3857, 3395, 3034, 3035, 3031, 3413, 3995, 3996, 3032, 5041, 5042, 2056,
    21781, 28992, 31467, 31370, 2180, 5070, 3083, 2193, 27200, 3111, 3112, 7855, 28355, 3577, 2263, 2227,
    2225, 2965, 26915, 26710, 6933, 32661, 3786, 4087, 29873, 29101, 5880, 2053, 22275, 2048, 3006, 3067, 2039, 5514,
    2065, 23700, 31287, 31256, 3763, 20790, 2100, 5186, 2326, 3414, 3168, 24600, 3347, 3978, 6391, 8857,
    4326, 4258, 4269, 4267, 4807, 4230, 7844, 6318, 4978, 4979, 4937,
]
COMPOUND = ["EPSG:5698", "EPSG:7415", "EPSG:5972", "EPSG:9518", "EPSG:5555", "EPSG:6349", "EPSG:7405", "EPSG:8764",
            "EPSG:8707", "EPSG:9924"]
# (CRS, vertical CRS)
WITH_VERTICAL = [("EPSG:32633", "EPSG:5773"), ("EPSG:4326", "EPSG:3855"), ("EPSG:2263", "EPSG:6360"),
                 ("EPSG:25832", "EPSG:7837"), ("+proj=tmerc +lon_0=9 +datum=WGS84", "EPSG:5703")]

WGS84 = "+datum=WGS84 +units=m"
CUSTOM = [
    f"+proj=tmerc +lat_0=1 +lon_0=9.5 +k=0.99987 +x_0=400000 +y_0=-5000000 {WGS84}",
    f"+proj=merc +lon_0=12 +k=0.98 {WGS84}",
    f"+proj=merc +lon_0=12 +lat_ts=-33 {WGS84}",
    f"+proj=lcc +lat_0=40 +lon_0=5 +lat_1=40 +k_0=0.99 {WGS84}",
    f"+proj=lcc +lat_0=40 +lon_0=5 +lat_1=39 +lat_2=45 +x_0=7 +y_0=8 {WGS84}",
    f"+proj=aea +lat_0=40 +lon_0=-96 +lat_1=20 +lat_2=60 +x_0=7 {WGS84}",
    f"+proj=laea +lat_0=52.5 +lon_0=-10 {WGS84}",
    f"+proj=stere +lat_0=90 +lon_0=-40 +k=0.99 {WGS84}",
    f"+proj=stere +lat_0=-90 +lat_ts=-70.5 +lon_0=10 {WGS84}",
    f"+proj=stere +lat_0=50 +lon_0=5 +k=0.99 {WGS84}",
    f"+proj=sterea +lat_0=50 +lon_0=5 +k=0.9999 +x_0=155000 {WGS84}",
    f"+proj=eqc +lat_ts=50 +lon_0=5 {WGS84}",
    f"+proj=cass +lat_0=50 +lon_0=5 {WGS84}",
    f"+proj=poly +lat_0=10 +lon_0=-54 {WGS84}",
    f"+proj=sinu +lon_0=5 {WGS84}",
    f"+proj=robin +lon_0=5 {WGS84}",
    f"+proj=mill +lon_0=5 {WGS84}",
    f"+proj=vandg +lon_0=5 {WGS84}",
    f"+proj=gnom +lat_0=50 +lon_0=5 {WGS84}",
    f"+proj=ortho +lat_0=50 +lon_0=5 {WGS84}",
    f"+proj=aeqd +lat_0=50 +lon_0=5 {WGS84}",
    f"+proj=eqdc +lat_0=50 +lon_0=5 +lat_1=40 +lat_2=60 {WGS84}",
    f"+proj=cea +lat_ts=30 +lon_0=5 {WGS84}",
    f"+proj=omerc +lat_0=50 +lonc=5 +alpha=30 +gamma=31 +k=0.99 +x_0=7 {WGS84}",
    f"+proj=omerc +no_uoff +lat_0=50 +lonc=5 +alpha=30 +gamma=30 +k=0.99 +x_0=7 {WGS84}",
    "+proj=somerc +lat_0=47 +lon_0=7.4 +k_0=1 +x_0=600000 +y_0=200000 +ellps=bessel +towgs84=674,15,405 +units=m",
    "+proj=utm +zone=33 +ellps=intl +towgs84=-87,-98,-121,0.1,0.2,0.3,1.5 +units=m",
    "+proj=tmerc +lon_0=9 +ellps=bessel +units=us-ft",
    "+proj=laea +lat_0=45 +lon_0=-100 +a=6370997 +b=6370997 +units=m",
    "+proj=longlat +a=6378000 +rf=298 +pm=paris",
    "ESRI:102008",
    'PROJCS["mine",GEOGCS["my base",DATUM["my datum",SPHEROID["my ellipsoid",6378100,298.5]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",10],'
    'PARAMETER["central_meridian",20],PARAMETER["scale_factor",0.9995],PARAMETER["false_easting",1000],'
    'PARAMETER["false_northing",2000],UNIT["chain",20.1168]]',
    'GEOGCS["NTF-like",DATUM["NTF-like",SPHEROID["Clarke 1880 (IGN)",6378249.2,293.466021293627]],'
    'PRIMEM["Paris",2.5969213],UNIT["grad",0.015707963267949]]',
]
# Texts that mean an EPSG code.
SPELLED = [
    ("WGS 84 / UTM zone 25S", 32725),
    ("wgs 84 / utm zone 25s", 32725),
    ("+proj=utm +zone=25 +south +datum=WGS84 +units=m", 32725),
    ("urn:ogc:def:crs:EPSG::25832", 25832),
    ('PROJCS["WGS_1984_UTM_Zone_33N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,'
     '298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
     'PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",15.0],'
     'PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]', 32633),
    ("projected:32725", 32725),
    ("geographic:4326", 4326),
]
REFUSED = [
    ("EPSG:99999", "crs not found"),
    ("EPSG:5773", "vertical"),
    ("nonsense", "CRS 'nonsense'"),
    ("WGS 84 / UTM zone 25", "WGS 84 / UTM zone 25"),
    ("", "cannot use crs: it is empty"),
    ("+proj=moll +datum=WGS84", "Mollweide"),
    ("+proj=ob_tran +o_proj=longlat +o_lat_p=30 +o_lon_p=0 +lon_0=0", "GeoKeys"),
    ("+proj=lcc +lat_0=40 +lat_1=40 +lat_2=41 +k_0=0.99 +lon_0=5 +datum=WGS84", "Michigan"),
    ("+proj=tmerc +axis=wnu +lon_0=9 +datum=WGS84", "west"),
    ("projected:70000", "1024 to 32766"),
    # It says it is UTM 33 and is not.
    ('PROJCRS["x",BASEGEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]]],'
     'CONVERSION["c",METHOD["Mollweide"],PARAMETER["Longitude of natural origin",15]],'
     'CS[Cartesian,2],AXIS["e",east],AXIS["n",north],LENGTHUNIT["metre",1],ID["EPSG",32633]]', "Mollweide"),
]


def spatial_reference(text):
    crs = osr.SpatialReference()
    crs.SetFromUserInput(text)
    crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return crs


def compound(horizontal, vertical):
    crs = osr.SpatialReference()
    crs.SetCompoundCS("both", spatial_reference(horizontal), spatial_reference(vertical))
    crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return crs


def write(path, crs=None, transform=None, points=None, options=(), size=(40, 30)):
    """A small GeoTIFF by GDAL."""
    made = gdal.GetDriverByName("GTiff").Create(str(path), *size, 1, gdal.GDT_Byte, list(options))
    if points:
        made.SetGCPs([gdal.GCP(x, y, z, col, row) for col, row, x, y, z in points], crs)
    elif crs is not None:
        made.SetSpatialRef(crs)
    if transform:
        made.SetGeoTransform(transform)
    made.GetRasterBand(1).Fill(7)
    made = None
    return path


def is_same(a, b):
    """Rasters have longitude first in their files, whatever the CRS says of its axes."""
    return a.IsSame(b, ["CRITERION=EQUIVALENT_EXCEPT_AXIS_ORDER_GEOGCRS", "IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES"])


def crs_of(path):
    opened = gdal.Open(str(path))
    crs = opened.GetSpatialRef() or opened.GetGCPSpatialRef()
    if crs is not None:
        crs = crs.Clone()
        crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return crs


def place_of(path):
    """(transform, control points, what pixels are), as GDAL sees them."""
    opened = gdal.Open(str(path))
    points = [(p.GCPPixel, p.GCPLine, p.GCPX, p.GCPY, p.GCPZ) for p in opened.GetGCPs()]
    return opened.GetGeoTransform(can_return_null=True), points, opened.GetMetadataItem("AREA_OR_POINT")


def geo_tags(path):
    """The bytes of the six tags of GeoTIFF in a little-endian classic TIFF's first directory."""
    data = open(path, "rb").read()
    assert data[:4] == b"II*\0"
    at = struct.unpack_from("<I", data, 4)[0]
    tags = {}
    for i in range(struct.unpack_from("<H", data, at)[0]):
        tag, kind, count = struct.unpack_from("<HHI", data, at + 2 + 12 * i)
        if tag not in (33550, 33922, 34264, 34735, 34736, 34737):
            continue
        size = {2: 1, 3: 2, 12: 8}[kind] * count
        place = at + 10 + 12 * i if size <= 4 else struct.unpack_from("<I", data, at + 10 + 12 * i)[0]
        tags[tag] = data[place:place + size]
    return tags


def geo_keys(path):
    tags = geo_tags(path)
    if 34735 not in tags:
        return {}
    directory = struct.unpack(f"<{len(tags[34735]) // 2}H", tags[34735])
    doubles = tags.get(34736, b"")
    doubles = struct.unpack(f"<{len(doubles) // 8}d", doubles)
    text = tags.get(34737, b"").decode()
    keys = {}
    for i in range(4, len(directory), 4):
        key, tag, count, value = directory[i:i + 4]
        keys[key] = value if tag == 0 else doubles[value:value + count] if tag == 34736 else text[value:value + count]
    return keys


def same_number(a, b):
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(abs(x - y) <= 1e-9 * max(1, abs(x)) for x, y in zip(a, b))
    return a == b


# Where GDAL writes UTM as a code of a projection, weir says the same in
# other keys; texts are names. 3059 is GDAL's own, on a mistake of its past.
NOT_COMPARED = {1026, 2049, 3073, 4097, 3074, 3059}


def key_differences(ours, theirs):
    """What GDAL's file says and ours does not."""
    wanted = {key: value for key, value in theirs.items() if key not in NOT_COMPARED}
    if 16001 <= theirs.get(3074, 0) <= 16160:
        wanted[3075] = 1
    return [f"key {key} is {ours.get(key)}, GDAL writes {value}" for key, value in wanted.items()
            if not same_number(ours.get(key), value)]


PATHS = (SCRATCH / f"{number}.tif" for number in itertools.count())


def convert(source, *flags):
    path = next(PATHS)
    checks.weir("convert", source, path, *flags, "--progress", "none", "--quiet")
    return path


def checked(name, body):
    """A check whose body gives a list of problems, or fails."""
    try:
        problems = body()
    except Exception as error:
        problems = [f"{type(error).__name__}: {error}"]
    checks.check(name, problems)


def check_crs(name, plain, wanted, flags, compares_keys=True):
    def body():
        path = convert(plain, *flags)
        problems = []
        got = crs_of(path)
        if got is None or not is_same(got, wanted):
            problems.append(f"GDAL reads {got.ExportToProj4() + ' ' + got.GetName() if got else None}")
        theirs = write(next(PATHS), wanted)
        gdals = crs_of(theirs)
        # GDAL writes the geographic CRS for a geocentric one, and nothing where it has no keys for a method.
        if compares_keys and gdals is not None and is_same(gdals, wanted) and not wanted.IsGeocentric():
            problems += key_differences(geo_keys(path), geo_keys(theirs))
        return problems
    checked(name, body)


def check_rasterio(plain):
    """Another GDAL and another PROJ, years newer."""
    # In its newer database the base of 5972 is another, ETRS89-NOR.
    texts = [f"EPSG:{code}" for code in EPSG] + [text for text in COMPOUND if text != "EPSG:5972"]
    texts += [text for text in CUSTOM if "PROJCS" in text]
    lines = [json.dumps([str(convert(plain, "--crs", text)), text]) for text in texts]
    program = checks.pathlib.Path(__file__).parent / "support/crs_in_rasterio.py"
    done = subprocess.run([checks.VENV_PYTHON, str(program)],
                          input="\n".join(lines), capture_output=True, text=True, timeout=300)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(texts):
        checks.not_ok("rasterio reads the CRSs", done.stderr[-300:])
    for text, answer in zip(texts, answers):
        checks.check(f"rasterio reads {text}", [answer] if answer else [])


def refusal(*arguments):
    try:
        checks.weir(*arguments)
    except RuntimeError as error:
        return str(error)
    return "it was taken"


def check_places(plain):
    north_up, rotated = (500000.0, 10.0, 0.0, 4000000.0, 0.0, -20.0), (500000.0, 9.0, 3.0, 4000000.0, 2.0, -8.0)
    south_up = (500000.0, 10.0, 0.0, 4000000.0, 0.0, 20.0)
    points = [(0.0, 0.0, 10.0, 50.0, 1.0), (40.0, 0.0, 11.0, 50.5, 2.0), (0.0, 30.0, 10.25, 49.0, 3.0),
              (40.0, 30.0, 11.0, 49.0, 4.0)]
    utm = spatial_reference("EPSG:32633")
    sources = {
        "north-up": dict(crs=utm, transform=north_up),
        "rotated": dict(crs=utm, transform=rotated),
        "south-up": dict(crs=utm, transform=south_up),
        "control points": dict(crs=utm, points=points),
        "nowhere": {},
    }
    for name, place in sources.items():
        for is_point in (False, True):
            source = write(next(PATHS), **place)
            if is_point:
                opened = gdal.Open(str(source), gdal.GA_Update)
                opened.SetMetadataItem("AREA_OR_POINT", "Point")
                if place.get("points"):
                    opened.SetGCPs(opened.GetGCPs(), utm)
                elif place:
                    opened.SetGeoTransform(place["transform"])
                opened = None
            full_name = f"{name}, pixels are {'points' if is_point else 'areas'}"

            def untouched():
                same = geo_tags(convert(source)) == geo_tags(source)
                return [] if same else ["the tags differ"]
            checked(f"{full_name}: kept bit for bit", untouched)

            def windowed():
                ours = convert(source, "--window", "7,5,20,10")
                theirs = next(PATHS)
                gdal.Translate(str(theirs), str(source), srcWin=[7, 5, 20, 10])
                seen, wanted = place_of(ours), place_of(theirs)
                problems = [] if str(seen) == str(wanted) else [f"{seen}, and gdal_translate's is at {wanted}"]
                if name != "nowhere" and not is_same(crs_of(ours), utm):
                    problems.append("the CRS is another")
                return problems
            checked(f"{full_name}: a window lies where gdal_translate's does", windowed)

            def told():
                transform, gcps, is_what = place_of(source)
                said = dict(line.strip().split(None, 1) for line in checks.weir("info", source)[0].splitlines()[1:]
                            if line.strip().startswith(("transform", "placed", "pixels")))
                wanted = {}
                if transform:
                    wanted["transform"] = tuple(transform)
                if gcps:
                    wanted["placed"] = f"by    {len(gcps)} ground control points"
                if is_what == "Point":
                    wanted["pixels"] = "are   points"
                if "transform" in said:
                    said["transform"] = tuple(float(number) for number in said["transform"].split(","))
                return [] if said == wanted else [f"{said}, not {wanted}"]
            checked(f"{full_name}: weir info tells it", told)

            def other_kind():
                word = "area" if is_point else "point"
                seen = place_of(convert(source, "--pixel-is", word))
                wanted = place_of(source)[:2] + (word.capitalize(),)
                return [] if str(seen) == str(wanted) else [f"{seen}, not {wanted}"]
            checked(f"{full_name}: the other kind moves no pixel", other_kind)

    def given(flags, wanted):
        seen = place_of(convert(plain, *flags))
        return [] if str(seen[:2]) == str(wanted) else [f"{seen[:2]}, not {wanted}"]

    as_text = lambda numbers: ",".join(map(str, numbers))
    gcps = [word for point in points for word in ("--gcp", as_text(point))]
    for kind in ([], ["--pixel-is", "point"]):
        for transform in (north_up, rotated, south_up):
            checked(f"--geotransform {as_text(transform)} {' '.join(kind)}",
                    lambda: given(["--geotransform", as_text(transform), *kind], (transform, [])))
        checked(f"--gcp {' '.join(kind)}", lambda: given([*gcps, "--crs", "EPSG:4326", *kind], (None, points)))
        checked(f"--bounds {' '.join(kind)}", lambda: given(
            ["--bounds", "500000,3999700,500800,4000000", *kind], ((500000.0, 20.0, 0.0, 4000000.0, 0.0, -10.0), [])))


def check_boxes():
    source = write(next(PATHS), spatial_reference("EPSG:32633"), (500000, 10, 0, 4000000, 0, -20))
    for box in ((500000, 3999400, 500400, 4000000), (500100, 3999600, 500200, 3999900),
                (500000, 3999980, 500010, 4000000)):
        def body():
            ours = convert(source, "--bbox", ",".join(map(str, box)))
            theirs = next(PATHS)
            gdal.Translate(str(theirs), str(source), projWin=[box[0], box[3], box[2], box[1]])
            size = lambda path: (gdal.Open(str(path)).RasterXSize, gdal.Open(str(path)).RasterYSize)
            seen, wanted = (size(ours), place_of(ours)), (size(theirs), place_of(theirs))
            return [] if seen == wanted else [f"{seen}, and gdal_translate -projwin has {wanted}"]
        checked(f"--bbox {box} is what -projwin is", body)


def main():
    plain = write(SCRATCH / "plain.tif")
    for code in EPSG:
        check_crs(f"EPSG:{code}", plain, spatial_reference(f"EPSG:{code}"), ["--crs", f"EPSG:{code}"])
    for text in COMPOUND:
        check_crs(text, plain, spatial_reference(text), ["--crs", text])
    for horizontal, vertical in WITH_VERTICAL:
        check_crs(f"{horizontal} with {vertical}", plain, compound(horizontal, vertical),
                  ["--crs", horizontal, "--vertical-crs", vertical])
        alone = convert(plain, "--crs", horizontal)
        check_crs(f"{vertical} added to {horizontal}", alone, compound(horizontal, vertical),
                  ["--vertical-crs", vertical])
    for text in CUSTOM:
        check_crs(text, plain, spatial_reference(text), ["--crs", text])
    for text, code in SPELLED:
        # Without PROJ's help there are no names and units to compare.
        check_crs(f"{text} is EPSG:{code}", plain, spatial_reference(f"EPSG:{code}"), ["--crs", text],
                  compares_keys=":" not in text)
    for text, reason in REFUSED:
        said = refusal("convert", plain, SCRATCH / "refused.tif", "--crs", text)
        checks.check(f"'{text}' is refused", [] if reason in said and "exits with 2" in said else [said])
    check_places(plain)
    check_boxes()
    if checks.VENV_PYTHON:
        check_rasterio(plain)
    else:
        checks.skip("rasterio agrees", "PyPI cannot be reached")
    checks.finish()


main()
