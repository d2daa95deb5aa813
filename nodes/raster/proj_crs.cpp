#include "nodes/raster/proj_crs.hpp"

#include <fmt/format.h>

#include "framework/error.hpp"

#ifdef WEIR_WITH_PROJ
#include <proj.h>
#include <proj_experimental.h>  // proj_crs_demote_to_2D: in PROJ 6.3 to 9, and GDAL stands on it

#include <algorithm>
#include <cctype>
#include <cmath>
#include <memory>
#include <numbers>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

#include "nodes/raster/number_text.hpp"
#include "nodes/raster/projection_keys.hpp"
#endif

namespace weir {
namespace {

[[noreturn]] void refuse(const std::string& crs, std::string_view reason) {
  constexpr std::size_t longest = 80;  // WKT goes on for pages
  const bool is_long = crs.size() > longest;
  throw Error::usage("use", fmt::format("CRS '{}{}'", crs.substr(0, longest), is_long ? "..." : ""), reason);
}

}  // namespace

#ifdef WEIR_WITH_PROJ

namespace {

struct Destroy {
  void operator()(PJ_CONTEXT* context) const { proj_context_destroy(context); }
  void operator()(PJ* object) const { proj_destroy(object); }
  void operator()(PJ_OBJ_LIST* list) const { proj_list_destroy(list); }
  void operator()(int* list) const { proj_int_list_destroy(list); }
};
using ProjContext = std::unique_ptr<PJ_CONTEXT, Destroy>;
using Object = std::unique_ptr<PJ, Destroy>;

/// Of an axis or a parameter: size in metres or radians.
struct Unit {
  double size = 1;
  std::uint16_t code = geo_key::user_defined;
};

bool is_about(double value, double wanted) {
  return std::fabs(value - wanted) <= 1e-12 * std::fabs(wanted);
}

constexpr double degree = std::numbers::pi / 180;

/// EPSG's code of a unit of its size. Of angles, EPSG has several names for a degree, and readers know 9102.
std::uint16_t angle_code(double size) {
  return is_about(size, degree)                   ? 9102
         : is_about(size, std::numbers::pi / 200) ? 9105
         : is_about(size, 1)                      ? 9101
                                                  : geo_key::user_defined;
}

/// Turns one CRS into GeoKeys. PROJ's contexts are for one thread at a time, and each translation has its own: a whole
/// one takes 0.7 to 3 ms.
class Translation {
 public:
  explicit Translation(const std::string& text) : text_(text), context_(proj_context_create()) {
    if (!context_) fail("PROJ has no memory");
    proj_log_func(context_.get(), &said_, [](void* said, int level, const char* message) {
      // The first error is the cause.
      auto& first = *static_cast<std::string*>(said);
      if (level == PJ_LOG_ERROR && first.empty()) first = message;
    });
    proj_context_set_enable_network(context_.get(), 0);
    if (proj_context_get_database_path(context_.get()) == nullptr)
      fail("PROJ finds no proj.db, its database (Debian: proj-data; elsewhere PROJ_DATA says where it is)");
  }

  GeoKeys crs() {
    const Object crs = parse();
    switch (type_of(crs)) {
      case PJ_TYPE_COMPOUND_CRS:
        add_compound(crs.get());
        break;
      case PJ_TYPE_VERTICAL_CRS:
        fail("it is a vertical CRS, and the raster needs a horizontal one as well");
      default:
        add_horizontal(crs.get());
    }
    return keys_;
  }

  GeoKeys vertical_crs() {
    const Object crs = parse();
    add_vertical(crs.get());
    return keys_;
  }

 private:
  [[noreturn]] void fail(std::string_view reason) const { refuse(text_, reason); }

  PJ_CONTEXT* context() const { return context_.get(); }
  static PJ_TYPE type_of(const Object& object) { return proj_get_type(object.get()); }

  Object parse() {
    std::string text = text_;
    // PROJ takes a string without it for an operation.
    if (text.find("proj=") != std::string::npos && text.find('[') == std::string::npos &&
        text.find("type=crs") == std::string::npos)
      text += " +type=crs";
    Object crs(proj_create(context(), text.c_str()));
    if (!crs) fail(said_.empty() ? "PROJ cannot read it" : "PROJ: " + said_);
    if (proj_is_crs(crs.get()) == 0) fail("it is no coordinate reference system");
    // PROJ also takes a name for another that it is a part of.
    if (text.find_first_of(":[{=") == std::string::npos && !is_same_name(text, proj_get_name(crs.get())))
      fail(fmt::format("there is no CRS of that name; did you mean '{}'?", proj_get_name(crs.get())));
    return crs;
  }

  static bool is_same_name(std::string_view a, std::string_view b) {
    return std::ranges::equal(
        a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
  }

  bool is_equivalent(const PJ* a, const PJ* b) const {
    return proj_is_equivalent_to_with_ctx(context(), a, b, PJ_COMP_EQUIVALENT_EXCEPT_AXIS_ORDER_GEOGCRS) != 0;
  }

  Object from_epsg(const char* code, PJ_CATEGORY category) const {
    return Object(proj_create_from_database(context(), "EPSG", code, category, 0, nullptr));
  }

  static std::optional<std::uint16_t> code_of(const PJ* object) {
    const char *authority = proj_get_id_auth_name(object, 0), *code = proj_get_id_code(object, 0);
    if (authority == nullptr || code == nullptr || std::string_view(authority) != "EPSG") return std::nullopt;
    const auto number = number_in<std::uint16_t>(code);
    return number && *number >= 1024 && *number < geo_key::user_defined ? number : std::nullopt;
  }

  /// The code that an object bears, where EPSG means the same by it: WKT can say anything.
  std::optional<std::uint16_t> true_code_of(const PJ* object, PJ_CATEGORY category) const {
    const auto code = code_of(object);
    if (!code) return std::nullopt;
    const Object known = from_epsg(proj_get_id_code(object, 0), category);
    return known && is_equivalent(object, known.get()) ? code : std::nullopt;
  }

  /// The EPSG code of a CRS, whether it bears it or not. Of several that are equivalent, the one that PROJ trusts most,
  /// not deprecated where possible, the smallest.
  std::optional<std::uint16_t> epsg_of(const PJ* crs) const {
    if (const auto code = true_code_of(crs, PJ_CATEGORY_CRS)) return code;
    int* confidences = nullptr;
    const std::unique_ptr<PJ_OBJ_LIST, Destroy> list(
        proj_identify(context(), crs, "EPSG", nullptr, &confidences));
    const std::unique_ptr<int, Destroy> owned(confidences);
    if (!list) return std::nullopt;
    std::optional<std::tuple<int, bool, std::uint16_t>> best;
    for (int i = 0; i < proj_list_get_count(list.get()); ++i) {
      const Object candidate(proj_list_get(context(), list.get(), i));
      const auto code = candidate ? code_of(candidate.get()) : std::nullopt;
      if (!code || !is_equivalent(crs, candidate.get())) continue;
      const std::tuple rank(-confidences[i], proj_is_deprecated(candidate.get()) != 0, *code);
      if (!best || rank < *best) best = rank;
    }
    return best ? std::optional(std::get<2>(*best)) : std::nullopt;
  }

  Unit axis_unit(const PJ* crs, int axis = 0) const {
    const Object system(proj_crs_get_coordinate_system(context(), crs));
    Unit unit;
    const char *authority = nullptr, *code = nullptr;
    if (!system ||
        proj_cs_get_axis_info(context(), system.get(), axis, nullptr, nullptr, nullptr, &unit.size, nullptr,
                              &authority, &code) == 0 ||
        !(unit.size > 0))
      fail("PROJ knows no unit of its axes");
    if (authority != nullptr && code != nullptr && std::string_view(authority) == "EPSG")
      unit.code = number_in<std::uint16_t>(code).value_or(geo_key::user_defined);
    return unit;
  }

  Unit length_unit(const PJ* crs) const {
    Unit unit = axis_unit(crs);
    if (unit.code == geo_key::user_defined) {
      if (is_about(unit.size, 1)) unit.code = 9001;
      if (is_about(unit.size, 0.3048)) unit.code = 9002;
      if (is_about(unit.size, 1200.0 / 3937)) unit.code = 9003;
    }
    return unit;
  }

  void add_unit(const Unit& unit, std::uint16_t code_key, std::uint16_t size_key) {
    keys_.set(code_key, unit.code);
    if (unit.code == geo_key::user_defined) keys_.set(size_key, unit.size);
  }

  void add_compound(const PJ* crs) {
    const Object horizontal(proj_crs_get_sub_crs(context(), crs, 0));
    const Object vertical(proj_crs_get_sub_crs(context(), crs, 1));
    if (!horizontal || !vertical) fail("PROJ cannot take it apart");
    add_horizontal(horizontal.get());
    add_vertical(vertical.get());
    keys_.set(geo_key::citation, std::string(proj_get_name(crs)));
  }

  void add_horizontal(const PJ* crs) {
    Object inside;
    if (proj_get_type(crs) == PJ_TYPE_BOUND_CRS) {
      const Object shift(proj_crs_get_coordoperation(context(), crs));
      std::vector<double> values(7);
      if (shift && proj_coordoperation_get_towgs84_values(context(), shift.get(), values.data(), 7, 0) != 0)
        to_wgs84_ = values;
      // Three are a translation; seven a rotation and a scale, too.
      const auto is_none = [](double value) { return value == 0; };
      if (to_wgs84_.size() == 7 && std::all_of(to_wgs84_.begin() + 3, to_wgs84_.end(), is_none))
        to_wgs84_.resize(3);
      inside.reset(proj_get_source_crs(context(), crs));
      crs = inside.get();
    }
    switch (crs == nullptr ? PJ_TYPE_UNKNOWN : proj_get_type(crs)) {
      case PJ_TYPE_PROJECTED_CRS:
        return add_projected(crs);
      case PJ_TYPE_GEOGRAPHIC_2D_CRS:
        keys_.set(geo_key::model_type, std::uint16_t{2});
        return add_geographic(crs);
      case PJ_TYPE_GEOGRAPHIC_3D_CRS:
        return add_geographic_3d(crs);
      case PJ_TYPE_GEOCENTRIC_CRS:
        return add_geocentric(crs);
      default:
        fail("GeoKeys say projected, geographic, geocentric and compound ones, and it is none of them");
    }
  }

  void add_geocentric(const PJ* crs) {
    const auto code = epsg_of(crs);
    if (!code) fail("it is geocentric and not EPSG's, which GeoKeys cannot say");
    keys_.set(geo_key::model_type, std::uint16_t{3});
    keys_.set(geo_key::geodetic_crs, *code);
    keys_.set(geo_key::citation, std::string(proj_get_name(crs)));
    const Unit unit = length_unit(crs);
    add_unit(unit, geo_key::geodetic_linear_units, geo_key::geodetic_linear_unit_size);
  }

  /// Longitude and latitude as a CRS of their own, and the code of all three in VerticalGeoKey, where GeoTIFF 1.1
  /// allows it: GDAL 3.6 takes the code in GeodeticCRSGeoKey for one of two axes.
  void add_geographic_3d(const PJ* crs) {
    const auto code = epsg_of(crs);
    const Object flat(proj_crs_demote_to_2D(context(), nullptr, crs));
    if (!code || !flat) fail("it is three-dimensional and not EPSG's, which GeoKeys cannot say");
    keys_.set(geo_key::model_type, std::uint16_t{2});
    add_geographic(flat.get());
    keys_.set(geo_key::vertical_crs, *code);
    keys_.set(geo_key::vertical_citation, std::string(proj_get_name(crs)));
  }

  void add_geographic(const PJ* crs) {
    if (proj_crs_is_derived(context(), crs) != 0)
      fail("its coordinates are derived from other ones (a rotated pole), which GeoKeys cannot say");
    Unit unit = axis_unit(crs);
    unit.code = angle_code(unit.size);
    add_unit(unit, geo_key::angular_units, geo_key::angular_unit_size);

    const Object ellipsoid(proj_get_ellipsoid(context(), crs));
    double semi_major = 0, semi_minor = 0, inverse_flattening = 0;
    if (!ellipsoid || proj_ellipsoid_get_parameters(context(), ellipsoid.get(), &semi_major, &semi_minor,
                                                    nullptr, &inverse_flattening) == 0)
      fail("PROJ knows no ellipsoid of it");
    keys_.set(geo_key::semi_major_axis, semi_major);
    if (inverse_flattening > 0)
      keys_.set(geo_key::inverse_flattening, inverse_flattening);
    else
      keys_.set(geo_key::semi_minor_axis, semi_minor);  // a sphere

    const std::string name = proj_get_name(crs);
    if (const auto code = epsg_of(crs)) {
      keys_.set(geo_key::geodetic_crs, *code);
      keys_.set(geo_key::geodetic_citation, name);
      return;
    }
    const Object datum(proj_crs_get_datum_forced(context(), crs));
    const Object meridian(proj_get_prime_meridian(context(), crs));
    double longitude = 0, factor = degree;
    if (!datum || !meridian ||
        proj_prime_meridian_get_parameters(context(), meridian.get(), &longitude, &factor, nullptr) == 0)
      fail("PROJ knows no datum of it");
    keys_.set(geo_key::geodetic_crs, geo_key::user_defined);
    keys_.set(geo_key::geodetic_datum,
              true_code_of(datum.get(), PJ_CATEGORY_DATUM).value_or(geo_key::user_defined));
    keys_.set(geo_key::ellipsoid,
              true_code_of(ellipsoid.get(), PJ_CATEGORY_ELLIPSOID).value_or(geo_key::user_defined));
    keys_.set(geo_key::prime_meridian_longitude, longitude * (factor / unit.size));
    if (!to_wgs84_.empty()) keys_.values[geo_key::to_wgs84] = to_wgs84_;
    // The one place where names of the parts fit, in the form in which GDAL takes them out again.
    keys_.set(
        geo_key::geodetic_citation,
        fmt::format("GCS Name = {}|Datum = {}|Ellipsoid = {}|Primem = {}|", name, proj_get_name(datum.get()),
                    proj_get_name(ellipsoid.get()), proj_get_name(meridian.get())));
  }

  void add_projected(const PJ* crs) {
    keys_.set(geo_key::model_type, std::uint16_t{1});
    keys_.set(geo_key::citation, std::string(proj_get_name(crs)));
    const Unit unit = length_unit(crs);
    add_unit(unit, geo_key::linear_units, geo_key::linear_unit_size);
    const Object base(proj_crs_get_geodetic_crs(context(), crs));
    if (!base) fail("PROJ cannot take it apart");
    if (const auto code = epsg_of(crs)) {
      keys_.set(geo_key::projected_crs, *code);
      keys_.set(geo_key::geodetic_citation, std::string(proj_get_name(base.get())));
      const double size = axis_unit(base.get()).size;
      add_unit({size, angle_code(size)}, geo_key::angular_units, geo_key::angular_unit_size);
      return;
    }
    keys_.set(geo_key::projected_crs, geo_key::user_defined);
    keys_.set(geo_key::projection, geo_key::user_defined);
    if (proj_get_type(base.get()) != PJ_TYPE_GEOGRAPHIC_2D_CRS) fail("its base is not geographic");
    add_geographic(base.get());
    add_method(crs, unit);
  }

  void add_method(const PJ* crs, const Unit& unit) {
    const Object conversion(proj_crs_get_coordoperation(context(), crs));
    const char *name = nullptr, *authority = nullptr, *code = nullptr;
    if (!conversion ||
        proj_coordoperation_get_method_info(context(), conversion.get(), &name, &authority, &code) == 0)
      fail("PROJ knows no projection of it");
    const bool is_epsg = authority != nullptr && code != nullptr && std::string_view(authority) == "EPSG";
    const ProjectionMethod* method =
        projection_method(is_epsg ? number_in<std::uint16_t>(code).value_or(0) : std::uint16_t{0}, name);
    if (method == nullptr) fail(fmt::format("GeoKeys cannot say its projection, {}", name));
    check_axes(crs, *method);
    keys_.set(geo_key::projection_method, method->transform);
    if (method->fixed_key != 0) keys_.set(method->fixed_key, method->fixed_value);
    const int count = proj_coordoperation_get_param_count(context(), conversion.get());
    for (int i = 0; i < count; ++i) add_parameter(conversion.get(), i, *method, unit);
  }

  void add_parameter(const PJ* conversion, int index, const ProjectionMethod& method, const Unit& unit) {
    const char *name = nullptr, *authority = nullptr, *code = nullptr;
    double value = 0, factor = 1;
    if (proj_coordoperation_get_param(context(), conversion, index, &name, &authority, &code, &value, nullptr,
                                      &factor, nullptr, nullptr, nullptr, nullptr) == 0)
      fail("PROJ cannot take its projection apart");
    const std::uint16_t epsg =
        code == nullptr ? std::uint16_t{0} : number_in<std::uint16_t>(code).value_or(0);
    const auto found = std::ranges::find(method.parameters, epsg, &ProjectionParameter::epsg);
    if (found == method.parameters.end()) {
      if (value == 0) return;
      fail(fmt::format("GeoKeys cannot say the {} of its projection, {}", name, method.name));
    }
    // Angles are in degrees, whatever the angular unit: libgeotiff never turns them.
    const double wanted = found->unit == ProjectionUnit::angle    ? degree
                          : found->unit == ProjectionUnit::length ? unit.size
                                                                  : 1;
    keys_.set(found->key, is_about(factor, wanted) ? value : value * (factor / wanted));
  }

  /// GeoTIFF's coordinates go east and north; in the south-orientated method, and at the poles, EPSG has others, which
  /// readers set right by the method.
  void check_axes(const PJ* crs, const ProjectionMethod& method) const {
    if (method.epsg == 9808 || method.epsg == 9810 || method.epsg == 9829 || method.epsg == 9820) return;
    const Object system(proj_crs_get_coordinate_system(context(), crs));
    for (int axis = 0; axis < 2; ++axis) {
      const char* direction = nullptr;
      if (!system || proj_cs_get_axis_info(context(), system.get(), axis, nullptr, nullptr, &direction,
                                           nullptr, nullptr, nullptr, nullptr) == 0)
        fail("PROJ knows no axes of it");
      if (std::string_view(direction) != "east" && std::string_view(direction) != "north")
        fail(fmt::format("one of its axes goes {}, which GeoKeys cannot say", direction));
    }
  }

  void add_vertical(const PJ* crs) {
    Object inside;
    if (proj_get_type(crs) ==
        PJ_TYPE_BOUND_CRS) {  // bound to a geoid model, which GeoKeys cannot say; EPSG can
      inside.reset(proj_get_source_crs(context(), crs));
      crs = inside.get();
    }
    if (crs == nullptr || proj_get_type(crs) != PJ_TYPE_VERTICAL_CRS) fail("it is no vertical CRS");
    const auto code = epsg_of(crs);
    keys_.set(geo_key::vertical_crs, code.value_or(geo_key::user_defined));
    keys_.set(geo_key::vertical_citation, std::string(proj_get_name(crs)));
    const Unit unit = length_unit(crs);
    if (unit.code == geo_key::user_defined) fail("its unit has no EPSG code, and GeoKeys have no other way");
    keys_.set(geo_key::vertical_units, unit.code);
    if (code) return;
    const Object datum(proj_crs_get_datum_forced(context(), crs));
    const auto datum_code = datum ? true_code_of(datum.get(), PJ_CATEGORY_DATUM) : std::nullopt;
    if (!datum_code) fail("neither it nor its datum have an EPSG code, and GeoKeys have no other way");
    keys_.set(geo_key::vertical_datum, *datum_code);
  }

  const std::string& text_;
  std::string said_;
  ProjContext context_;
  GeoKeys keys_;
  std::vector<double> to_wgs84_;  // of a CRS that came with a shift
};

}  // namespace

bool has_proj() {
  return true;
}
GeoKeys proj_crs_keys(const std::string& crs) {
  return Translation(crs).crs();
}
GeoKeys proj_vertical_crs_keys(const std::string& crs) {
  return Translation(crs).vertical_crs();
}

CrsText proj_crs_text(std::uint16_t epsg) {
  CrsText text;
  const ProjContext context(proj_context_create());
  if (!context) return text;
  proj_log_level(context.get(), PJ_LOG_NONE);
  proj_context_set_enable_network(context.get(), 0);
  const Object crs(proj_create_from_database(context.get(), "EPSG", std::to_string(epsg).c_str(),
                                             PJ_CATEGORY_CRS, 0, nullptr));
  if (!crs) return text;
  const auto said = [](const char* words) { return std::string(words == nullptr ? "" : words); };
  const char* const one_line[] = {"MULTILINE=NO", nullptr};
  text.wkt2 = said(proj_as_wkt(context.get(), crs.get(), PJ_WKT2_2019, one_line));
  text.wkt1 = said(proj_as_wkt(context.get(), crs.get(), PJ_WKT1_GDAL, one_line));
  const Object system(proj_crs_get_coordinate_system(context.get(), crs.get()));
  const char* unit = nullptr;
  if (system && proj_cs_get_axis_info(context.get(), system.get(), 0, nullptr, nullptr, nullptr, nullptr,
                                      &unit, nullptr, nullptr) != 0)
    text.unit = said(unit);
  return text;
}

#else

bool has_proj() {
  return false;
}
GeoKeys proj_crs_keys(const std::string& crs) {
  refuse(crs, "this build has no PROJ, which knows such names: say projected:CODE or geographic:CODE");
}
GeoKeys proj_vertical_crs_keys(const std::string& crs) {
  refuse(crs, "this build has no PROJ, which knows such names: say EPSG:CODE");
}
CrsText proj_crs_text(std::uint16_t) {
  return {};
}

#endif

}  // namespace weir
