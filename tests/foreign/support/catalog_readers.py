"""What pyarrow and DuckDB read in catalogs of made-up rows (tests/made_header_rows.hpp). A program of its own, for the Python that has
them. Arguments: a catalog, one in tiff-dumper's schema, an update of the first. Prints lines as tests/run.sh counts them."""

import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from support import checks

weir, narrow, updated = map(pathlib.Path, sys.argv[1:])
ROOT = pathlib.Path(__file__).parent.parent.parent.parent
UNITS, KEYS = 60, 32

# tiff-dumper's columns and keys, in its own order (shared/spec/reference.md has them from its output).
COLUMNS = """artist bits_per_sample compression copyright date_time document_name extra_samples host_computer image_description image_height
image_width jpeg_tables max_sample_value min_sample_value model_pixel_scale model_tiepoint new_subfile_type orientation other_tags
photometric_interpretation planar_configuration predictor resolution_unit rows_per_strip sample_format samples_per_pixel software tile_height
tile_width x_resolution y_resolution geokeys path""".split()
KEY_NAMES = """model_type raster_type citation geographic_type geog_citation geog_geodetic_datum geog_prime_meridian geog_linear_units
geog_linear_unit_size geog_angular_units geog_angular_unit_size geog_ellipsoid geog_semi_major_axis geog_semi_minor_axis geog_inv_flattening
geog_azimuth_units geog_prime_meridian_long projected_type proj_citation projection proj_coord_trans proj_linear_units proj_linear_unit_size
proj_std_parallel1 proj_std_parallel2 proj_nat_origin_long proj_nat_origin_lat proj_false_easting proj_false_northing proj_false_origin_long
proj_false_origin_lat proj_false_origin_easting proj_false_origin_northing proj_center_long proj_center_lat proj_center_easting
proj_center_northing proj_scale_at_nat_origin proj_scale_at_center proj_azimuth_angle proj_straight_vert_pole_long vertical
vertical_citation vertical_datum vertical_units""".split()


def parts(folder):
    return sorted(folder.glob("part-*.parquet"))


def documented():
    """Column -> (type, whether it may be null), from the comment in catalog_schema.hpp."""
    text = (ROOT / "nodes/headers/catalog_schema.hpp").read_text()
    columns = {}
    for name, kind, meaning in re.findall(r"^///   ([a-z_]+) +(\S+(?:, \S+)*(?:: \w+, \w+: \w+, \w+: \w+, \w+: \w+>)?)(?:  +(.*))?$", text, re.M):
        columns[name] = (kind, meaning)
    return columns


def type_text(kind):
    if pa.types.is_map(kind):
        return f"map<{type_text(kind.key_type)}, {type_text(kind.item_type)}>"
    if pa.types.is_list(kind):
        return f"list<{type_text(kind.value_type)}>"
    if pa.types.is_struct(kind) and len(kind) == 4:
        return "struct<" + ", ".join(f"{f.name}: {type_text(f.type)}" for f in kind) + ">"
    return "struct" if pa.types.is_struct(kind) else str(kind)


def one_schema():
    problems = []
    for folder in (weir, narrow, updated):
        schemas = [pq.read_schema(part).remove_metadata() for part in parts(folder)]
        if len(schemas) < 8:
            problems.append(f"{folder.name} has {len(schemas)} parts")
        problems += [f"{folder.name}, part {i} differs" for i, s in enumerate(schemas) if not s.equals(schemas[0])]
    checks.check("all parts of a catalog have one schema", problems)


def types_as_documented():
    problems = []
    columns, schema = documented(), pq.read_schema(parts(weir)[0])
    if schema.names != list(columns):
        problems.append(f"columns {schema.names} documented {list(columns)}")
    for field in schema:
        kind, meaning = columns.get(field.name, ("", ""))
        if type_text(field.type) != kind:
            problems.append(f"{field.name} is {type_text(field.type)}, documented {kind}")
        may_be_null = (field.name in COLUMNS and field.name != "path") or "or null" in meaning
        if field.nullable != may_be_null:
            problems.append(f"{field.name}: nullable {field.nullable}")
    checks.check("columns are those that the header documents", problems)
    checks.check("schema: tiff-dumper has its 33 columns and the names of its keys", [
        f"{names} are not {wanted}" for names, wanted in
        [(pq.read_schema(parts(narrow)[0]).names, COLUMNS), ([f.name for f in schema.field("geokeys").type], KEY_NAMES)] if names != wanted])


def is_broken(n):
    return n % 97 == 11


def wanted_row(n):
    """Some columns of made_row(n)."""
    rare, bare = n % 13 == 4, n % 17 == 6
    across = n % 101 == 50
    tags = None if bare else {42113: "0"}
    if rare and not bare:
        tags.update({42112: "<GDALMetadata/>", 34736: "1.5, 2.5"})
    return {
        "artist": "Gérard" if rare else None,
        "bits_per_sample": [8, 8, 8, 8] if bare else [16],
        "extra_samples": [2] if bare else None,
        "image_width": 10980,
        "jpeg_tables": b"\7" * 20 if rare else None,
        "model_pixel_scale": None if bare else [10, 10, 0],
        "other_tags": sorted(tags.items()) if tags else None,
        "x_resolution": 72.5 if rare else None,
        "byte_order": "big" if bare else "little",
        "is_bigtiff": bare,
        "header_end": 2000 + n % 300,
        "epsg": None if bare else 32631,
        "tile_width": None if bare else 1024,
        "warnings": ["tag 306 comes twice", "tag 315 is not UTF-8, and was read as Latin-1"] if rare else [],
        "citation": None if bare else "WGS 84 / UTM zone 31N",
        "projected_type": None if bare else 32631,
        "semi_major": 6378137.0 if rare and not bare else None,
        "rings": 2 if across else 0 if bare else 1,
    }


def values_agree():
    rows = ds.dataset(parts(weir)).to_table().to_pylist()
    numbers = [n for n in range(UNITS * KEYS) if not is_broken(n)]
    problems = [f"{len(rows)} rows, {len(numbers)} were written"] if len(rows) != len(numbers) else []
    for n, row in zip(numbers, rows):
        keys, footprint = row["geokeys"] or {}, row["footprint"]
        row.update(citation=keys.get("citation"), projected_type=keys.get("projected_type"), semi_major=keys.get("geog_semi_major_axis"))
        row["rings"] = 0 if footprint is None else 1 if footprint[1] == 3 else footprint[5]
        row["other_tags"] = sorted(row["other_tags"]) if row["other_tags"] is not None else None
        problems += [f"row {n}: {k} is {row[k]}, not {v}" for k, v in wanted_row(n).items() if row[k] != v]
        if (row["geokeys"] is None) != (n % 17 == 6):
            problems.append(f"row {n}: geokeys")
    checks.check("pyarrow reads the values that were written", problems[:5])

    said = duckdb.sql(f"""select count(*), sum(size), count(geokeys), count(distinct path), sum(len(warnings)),
        sum(case when other_tags[42113] = '0' then 1 else 0 end), count(artist) from '{weir}/part-*.parquet'""").fetchall()[0]
    wanted = (len(rows), sum(r["size"] for r in rows), sum(r["geokeys"] is not None for r in rows), len(rows),
              sum(len(r["warnings"]) for r in rows), sum(r["other_tags"] is not None for r in rows), sum(r["artist"] is not None for r in rows))
    checks.check("DuckDB reads the same", [] if said == wanted else [f"{said} is not {wanted}"])
    errors = duckdb.sql(f"""select count(*), count("offset"), count(http_status), sum(tries), count(distinct path) from '{weir}/errors.parquet'""").fetchall()[0]
    broken = sum(is_broken(n) for n in range(UNITS * KEYS))
    damaged = sum(n % 89 == 12 and not is_broken(n) for n in range(UNITS * KEYS))
    both = sum(n % 89 == 12 and is_broken(n) for n in range(UNITS * KEYS))
    wanted = (broken + damaged, damaged + both, broken - both, 2 * (broken - both) + damaged + both, broken + damaged)
    checks.check("errors.parquet has every error", [] if errors == wanted else [f"{errors} is not {wanted}"])


def is_geoparquet():
    """GeoParquet 1.1.0, file by file, also where rows were taken over; boxes against the coordinates themselves."""
    problems = []
    for part in parts(weir) + parts(updated):
        meta = json.loads(pq.read_schema(part).metadata[b"geo"])
        column = meta["columns"].get(meta["primary_column"], {})
        if meta["version"] != "1.1.0" or meta["primary_column"] != "footprint" or column.get("encoding") != "WKB" or "crs" in column:
            problems.append(f"{part.name}: {meta}")
        table = pq.read_table(part, columns=["footprint", "bbox"]).to_pylist()
        kinds = {"MultiPolygon" if r["footprint"][1] == 6 else "Polygon" for r in table if r["footprint"]}
        if set(column["geometry_types"]) != kinds:
            problems.append(f"{part.name}: {column['geometry_types']}, it has {kinds}")
        if column["covering"] != {"bbox": {c: ["bbox", c] for c in ("xmin", "ymin", "xmax", "ymax")}}:
            problems.append(f"{part.name}: {column['covering']}")
        across = any(r["bbox"] and r["bbox"]["xmin"] > r["bbox"]["xmax"] for r in table)
        boxes = [r["bbox"] for r in table if r["bbox"]]
        wanted = [-180 if across else min(b["xmin"] for b in boxes), min(b["ymin"] for b in boxes),
                  180 if across else max(b["xmax"] for b in boxes), max(b["ymax"] for b in boxes)]
        if column["bbox"] != wanted:
            problems.append(f"{part.name}: box {column['bbox']}, not {wanted}")
    checks.check("footprints are GeoParquet 1.1", problems)
    said = duckdb.sql(f"""select typeof(any_value(footprint)), count(footprint) from '{weir}/part-*.parquet'""").fetchall()[0]
    rings = sum(not n % 17 == 6 or n % 101 == 50 for n in range(UNITS * KEYS) if not is_broken(n))
    good = said[0].startswith("GEOMETRY") and "CRS84" in said[0] and said[1] == rings
    checks.check("DuckDB takes the footprints for geometries in longitude and latitude", [] if good else [f"{said}, {rings} are there"])


def update_agrees():
    """Object by object, the update has what the second version has: as many rows, and what vanished apart."""
    problems = []
    gone = [n for n in range(UNITS * KEYS) if n % 50 == 7]
    rows = {r[0]: r[1] for r in duckdb.sql(f"select path, size from '{updated}/part-*.parquet'").fetchall()}
    before = {r[0]: r[1] for r in duckdb.sql(f"select path, size from '{weir}/part-*.parquet'").fetchall()}
    vanished = {r[0]: r[1] for r in duckdb.sql(f"select path, size from '{updated}/vanished.parquet'").fetchall()}
    if len(rows) != sum(not is_broken(n) and n not in gone for n in range(UNITS * KEYS)):
        problems.append(f"{len(rows)} rows")
    if set(vanished) != set(before) - set(rows) or any(before[p] != s for p, s in vanished.items()):
        problems.append(f"{len(vanished)} vanished, {len(set(before) - set(rows))} are gone")
    changed = sum(rows[p] != before[p] for p in rows)
    if changed != sum(n % 10 == 3 and not is_broken(n) and n not in gone for n in range(UNITS * KEYS)):
        problems.append(f"{changed} have changed")
    columns = ", ".join(c for c in documented())
    same = duckdb.sql(f"""select count(*) from (select {columns} from '{updated}/part-*.parquet' intersect
        select {columns} from '{weir}/part-*.parquet')""").fetchall()[0][0]
    if same != len(rows) - changed:
        problems.append(f"{same} rows are as before, of {len(rows) - changed} that did not change")
    checks.check("an update has the rows of the earlier catalog that did not change, value by value", problems)


one_schema()
types_as_documented()
values_agree()
is_geoparquet()
update_agrees()
checks.finish()
