#include "nodes/raster/projection_keys.hpp"

#include <algorithm>

#include "nodes/raster/geo_keys.hpp"

namespace weir {
namespace {

using enum ProjectionUnit;
using Parameter = ProjectionParameter;

constexpr Parameter natural_origin_lat{8801, geo_key::nat_origin_lat, angle};
constexpr Parameter natural_origin_long{8802, geo_key::nat_origin_long, angle};
constexpr Parameter natural_origin_scale{8805, geo_key::scale_at_nat_origin, scale};
constexpr Parameter easting{8806, geo_key::false_easting, length};
constexpr Parameter northing{8807, geo_key::false_northing, length};
constexpr Parameter parallel_1{8823, geo_key::std_parallel_1, angle};
constexpr Parameter parallel_2{8824, geo_key::std_parallel_2, angle};
constexpr Parameter center_lat{8801, geo_key::center_lat, angle};
constexpr Parameter center_long{8802, geo_key::center_long, angle};

constexpr Parameter with_scale[] = {natural_origin_lat, natural_origin_long, natural_origin_scale, easting,
                                    northing};
constexpr Parameter without_scale[] = {natural_origin_lat, natural_origin_long, easting, northing};
constexpr Parameter one_parallel[] = {parallel_1, natural_origin_long, easting, northing};
constexpr Parameter two_parallels[] = {
    natural_origin_lat, natural_origin_long, parallel_1, parallel_2, easting, northing};
constexpr Parameter centered[] = {center_lat, center_long, easting, northing};
constexpr Parameter centered_with_scale[] = {center_lat, center_long, natural_origin_scale, easting,
                                             northing};
constexpr Parameter centered_with_parallel[] = {parallel_1, center_lat, center_long, easting, northing};
constexpr Parameter around_meridian[] = {center_long, easting, northing};
constexpr Parameter conformal_conic[] = {{8821, geo_key::false_origin_lat, angle},
                                         {8822, geo_key::false_origin_long, angle},
                                         parallel_1,
                                         parallel_2,
                                         {8826, geo_key::false_origin_easting, length},
                                         {8827, geo_key::false_origin_northing, length}};
constexpr Parameter albers[] = {
    {8821, geo_key::nat_origin_lat, angle}, {8822, geo_key::nat_origin_long, angle}, parallel_1, parallel_2,
    {8826, geo_key::false_easting, length}, {8827, geo_key::false_northing, length}};
constexpr Parameter polar_scale[] = {natural_origin_lat,
                                     {8802, geo_key::straight_vert_pole_long, angle},
                                     natural_origin_scale,
                                     easting,
                                     northing};
constexpr Parameter polar_parallel[] = {{8832, geo_key::nat_origin_lat, angle},
                                        {8833, geo_key::straight_vert_pole_long, angle},
                                        easting,
                                        northing};
constexpr Parameter hotine_origin[] = {{8811, geo_key::center_lat, angle},
                                       {8812, geo_key::center_long, angle},
                                       {8813, geo_key::azimuth_angle, angle},
                                       {8814, geo_key::rectified_grid_angle, angle},
                                       {8815, geo_key::scale_at_center, scale},
                                       easting,
                                       northing};
constexpr Parameter hotine_center[] = {
    {8811, geo_key::center_lat, angle},      {8812, geo_key::center_long, angle},
    {8813, geo_key::azimuth_angle, angle},   {8814, geo_key::rectified_grid_angle, angle},
    {8815, geo_key::scale_at_center, scale}, {8816, geo_key::false_easting, length},
    {8817, geo_key::false_northing, length}};

constexpr ProjectionMethod methods[] = {
    {9807, "Transverse Mercator", 1, with_scale},
    {9812, "Hotine Oblique Mercator (variant A)", 3, hotine_origin},
    {9804, "Mercator (variant A)", 7, with_scale},
    {9805, "Mercator (variant B)", 7, one_parallel, geo_key::nat_origin_lat, 0},
    {9802, "Lambert Conic Conformal (2SP)", 8, conformal_conic},
    {9801, "Lambert Conic Conformal (1SP)", 9, with_scale},
    {9820, "Lambert Azimuthal Equal Area", 10, centered},
    {1027, "Lambert Azimuthal Equal Area (Spherical)", 10, centered},
    {9822, "Albers Equal Area", 11, albers},
    // PROJ's +proj=aeqd, by which GDAL means GeoTIFF's 12.
    {9832, "Modified Azimuthal Equidistant", 12, centered},
    {1125, "Azimuthal Equidistant", 12, centered},
    {0, "Equidistant Conic", 13, two_parallels},
    {0, "Stereographic", 14, centered_with_scale},
    {9810, "Polar Stereographic (variant A)", 15, polar_scale},
    // A latitude that is not the pole's is the standard parallel.
    {9829, "Polar Stereographic (variant B)", 15, polar_parallel, geo_key::scale_at_nat_origin, 1},
    {9809, "Oblique Stereographic", 16, with_scale},
    {1028, "Equidistant Cylindrical", 17, centered_with_parallel},
    {1029, "Equidistant Cylindrical (Spherical)", 17, centered_with_parallel},
    {9806, "Cassini-Soldner", 18, without_scale},
    {0, "Gnomonic", 19, centered},
    {0, "Miller Cylindrical", 20, around_meridian, geo_key::center_lat, 0},
    {9840, "Orthographic", 21, centered},
    {9818, "American Polyconic", 22, without_scale, geo_key::scale_at_nat_origin, 1},
    {0, "Robinson", 23, around_meridian},
    {0, "Sinusoidal", 24, around_meridian},
    {0, "Van Der Grinten", 25, around_meridian},
    {9811, "New Zealand Map Grid", 26, without_scale},
    {9808, "Transverse Mercator (South Orientated)", 27, with_scale},
    {9835, "Lambert Cylindrical Equal Area", 28, one_parallel},
    {9834, "Lambert Cylindrical Equal Area (Spherical)", 28, one_parallel},
    // No number of GeoTIFF's own; libgeotiff took EPSG's.
    {9815, "Hotine Oblique Mercator (variant B)", 9815, hotine_center},
};

}  // namespace

const ProjectionMethod* projection_method(std::uint16_t epsg, std::string_view name) {
  const auto* const found = std::ranges::find_if(methods, [&](const ProjectionMethod& method) {
    return epsg != 0 ? method.epsg == epsg : method.epsg == 0 && method.name == name;
  });
  return found == std::end(methods) ? nullptr : found;
}

}  // namespace weir
