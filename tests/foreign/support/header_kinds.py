"""TIFF files of many kinds, as GDAL 3.6 writes them: what is in a directory differs from each to each, pixels do not matter."""

from osgeo import gdal, osr

SMALL = ["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"]
# name: (type, bands, creation options, EPSG or None)
KINDS = {
    "strips": (gdal.GDT_Byte, 1, [], 32633),
    "tiles": (gdal.GDT_UInt16, 1, SMALL, 32733),
    "bigtiff": (gdal.GDT_Float32, 1, SMALL + ["BIGTIFF=YES"], 4326),
    "big_endian": (gdal.GDT_Int16, 1, ["ENDIANNESS=BIG"], 3857),
    "big_endian_bigtiff": (gdal.GDT_Int16, 3, ["ENDIANNESS=BIG", "BIGTIFF=YES"], 3857),
    "rgb": (gdal.GDT_Byte, 3, ["PHOTOMETRIC=RGB"], 3035),
    "rgba": (gdal.GDT_Byte, 4, ["PHOTOMETRIC=RGB", "ALPHA=YES"], 3413),
    "planar": (gdal.GDT_UInt16, 4, ["INTERLEAVE=BAND"], 3031),
    "lzw_predictor": (gdal.GDT_UInt16, 1, ["COMPRESS=LZW", "PREDICTOR=2"], 2154),
    "deflate_float_predictor": (gdal.GDT_Float32, 1, SMALL + ["COMPRESS=DEFLATE", "PREDICTOR=3"], 27700),
    "zstd": (gdal.GDT_UInt32, 1, ["COMPRESS=ZSTD"], 5070),
    "packbits": (gdal.GDT_Byte, 1, ["COMPRESS=PACKBITS"], None),
    "jpeg": (gdal.GDT_Byte, 3, SMALL + ["COMPRESS=JPEG", "PHOTOMETRIC=YCBCR"], 32601),
    "lerc": (gdal.GDT_Float32, 1, ["COMPRESS=LERC"], 32660),
    "one_bit": (gdal.GDT_Byte, 1, ["NBITS=1"], 26917),
    "twelve_bits": (gdal.GDT_UInt16, 1, ["NBITS=12"], 28992),
    "signed_bytes": (gdal.GDT_Byte, 1, ["PIXELTYPE=SIGNEDBYTE"], 31370),
    "double": (gdal.GDT_Float64, 2, [], 2193),
    "complex": (gdal.GDT_CFloat32, 1, [], None),
    "complex_integers": (gdal.GDT_CInt16, 1, [], None),
    "geotiff_1_1": (gdal.GDT_Byte, 1, ["GEOTIFF_VERSION=1.1"], 25832),
    "esri_profile": (gdal.GDT_Byte, 1, ["PROFILE=GeoTIFF"], 2056),
    "baseline": (gdal.GDT_Byte, 1, ["PROFILE=BASELINE"], None),
    "min_is_white": (gdal.GDT_Byte, 1, ["PHOTOMETRIC=MINISWHITE"], None),
}
FROM_TEXT = {
    "albers_of_parameters": "+proj=aea +lat_1=10 +lat_2=50 +lat_0=30 +lon_0=15 +ellps=GRS80 +units=m",
    "compound": "EPSG:32633+5773",
    "feet": "EPSG:2263",
}


def make(folder):
    gdal.UseExceptions()
    driver = gdal.GetDriverByName("GTiff")

    def create(name, kind, bands, options, crs, transform=(500000, 10, 0, 4000000, 0, -20)):
        raster = driver.Create(str(folder / f"{name}.tif"), 40, 30, bands, kind, options)
        if crs is not None:
            reference = osr.SpatialReference()
            reference.SetFromUserInput(crs if isinstance(crs, str) else f"EPSG:{crs}")
            raster.SetProjection(reference.ExportToWkt())
            is_geographic = reference.IsGeographic()
            raster.SetGeoTransform((10, 0.1, 0, 50, 0, -0.1) if is_geographic else transform)
        return raster

    for name, (kind, bands, options, crs) in KINDS.items():
        create(name, kind, bands, options, crs)
    for name, crs in FROM_TEXT.items():
        create(name, gdal.GDT_Byte, 1, [], crs)
    create("rotated", gdal.GDT_Byte, 1, [], 32633, (500000, 10, 3, 4000000, 2, -20))
    point = create("pixel_is_point", gdal.GDT_Byte, 1, [], 32633)
    point.SetMetadataItem("AREA_OR_POINT", "Point")
    described = create("tags_and_metadata", gdal.GDT_Byte, 2, [], 32633)
    described.SetMetadata({"TIFFTAG_ARTIST": "who", "TIFFTAG_COPYRIGHT": "none", "TIFFTAG_DATETIME": "2026:01:02 03:04:05",
                           "TIFFTAG_DOCUMENTNAME": "name", "TIFFTAG_HOSTCOMPUTER": "host", "TIFFTAG_SOFTWARE": "soft",
                           "TIFFTAG_IMAGEDESCRIPTION": "what it is", "TIFFTAG_XRESOLUTION": "72", "TIFFTAG_YRESOLUTION": "36.5",
                           "TIFFTAG_RESOLUTIONUNIT": "2", "TIFFTAG_MINSAMPLEVALUE": "1", "TIFFTAG_MAXSAMPLEVALUE": "200",
                           "more": "than tags"})
    described.GetRasterBand(1).SetDescription("first")
    described.GetRasterBand(1).SetNoDataValue(255)
    overviews = create("overviews", gdal.GDT_Byte, 1, SMALL, 32633)
    overviews.FlushCache()
    overviews.BuildOverviews("NEAREST", [2, 4])
    points = create("control_points", gdal.GDT_Byte, 1, [], None)
    reference = osr.SpatialReference()
    reference.ImportFromEPSG(4326)
    points.SetGCPs([gdal.GCP(10 + i, 50 - i, 0, 5 * i, 7 * i) for i in range(4)], reference.ExportToWkt())
    del point, described, overviews, points
    cogs = {"cog": ["COMPRESS=DEFLATE", "BLOCKSIZE=128"], "cog_of_web_tiles": ["TILING_SCHEME=GoogleMapsCompatible"]}
    for name, options in cogs.items():
        source = gdal.Open(str(folder / "strips.tif"))
        if name == "cog":
            source = gdal.Translate("", source, format="MEM", width=600, height=450)
        gdal.GetDriverByName("COG").CreateCopy(str(folder / f"{name}.tif"), source, options=options)
