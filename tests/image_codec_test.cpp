// The codecs that look at pixels: jpeg, webp and lerc.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <random>
#include <string>

#include "framework/error.hpp"
#include "tests/image_codec_support.hpp"

namespace weir {
namespace {

using namespace codec_support;

std::string refusal(const CodecSpec& spec) {
  try {
    const CodecSpec usable = resolved(spec);
    check_pieces(usable, 256);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
  return {};
}

TEST_CASE("quality, lossless, maximal error and level go with the codecs that have them, in their ranges") {
  const auto with = [](CodecId id, auto change) {
    CodecSpec spec;
    spec.id = id;
    spec.format = {256, 3};
    change(spec);
    return refusal(spec);
  };
  const auto good = [](CodecSpec&) {};
  for (const CodecId id : {CodecId::jpeg, CodecId::webp, CodecId::lerc}) CHECK(with(id, good) == "");
  for (const CodecId id : {CodecId::jpeg, CodecId::webp}) {
    CHECK(with(id, [](CodecSpec& s) { s.quality = 1; }) == "");
    CHECK(with(id, [](CodecSpec& s) { s.quality = 100; }) == "");
    CHECK(with(id, [](CodecSpec& s) { s.quality = 0; }) == "cannot use quality 0: it goes from 1 to 100");
    CHECK(with(id, [](CodecSpec& s) { s.quality = 101; }) == "cannot use quality 101: it goes from 1 to 100");
  }
  CHECK(with(CodecId::zstd, [](CodecSpec& s) { s.quality = 75; }) ==
        "cannot use quality 75: the codec is zstd; jpeg and webp have a quality");
  CHECK(with(CodecId::jpeg, [](CodecSpec& s) { s.lossless = true; }) ==
        "cannot use lossless: the codec is jpeg; webp has the choice");
  CHECK(with(CodecId::webp, [](CodecSpec& s) { s.lossless = true; }) == "");
  CHECK(with(CodecId::webp, [](CodecSpec& s) {
          s.lossless = true;
          s.quality = 80;
        }) == "cannot use quality 80: lossless webp has none");
  CHECK(with(CodecId::deflate, [](CodecSpec& s) { s.max_error = 1; }) ==
        "cannot use a maximal error of 1: the codec is deflate; lerc has one");
  for (const double bad : {-0.5, std::nan(""), std::numeric_limits<double>::infinity()})
    CHECK(with(CodecId::lerc, [bad](CodecSpec& s) { s.max_error = bad; }) != "");
  CHECK(with(CodecId::jpeg, [](CodecSpec& s) { s.level = 5; }) ==
        "cannot use jpeg level 5: this codec has no levels; it has a quality");
  CHECK(with(CodecId::lerc, [](CodecSpec& s) { s.level = 5; }) ==
        "cannot use lerc level 5: this codec has no levels; lerc_deflate and lerc_zstd have");
  const auto packed = [&](LercCompression compression, int level) {
    return with(CodecId::lerc, [&](CodecSpec& s) {
      s.lerc_compression = compression;
      s.level = level;
    });
  };
  CHECK(packed(LercCompression::deflate, 9) == "");
  CHECK(packed(LercCompression::deflate, 10) == "cannot use lerc_deflate level 10: its levels are 1 to 9");
  CHECK(packed(LercCompression::zstd, 22) == "");
  CHECK(packed(LercCompression::zstd, 0) == "cannot use lerc_zstd level 0: its levels are 1 to 22");
  if (!missing_reason(CodecId::lzma).empty()) return;
  CHECK(with(CodecId::lzma, good) == "");
  CHECK(with(CodecId::lzma, [](CodecSpec& s) { s.level = 0; }) == "");
  CHECK(with(CodecId::lzma, [](CodecSpec& s) { s.level = 10; }) ==
        "cannot use lzma level 10: its levels are 0 to 9");
}

TEST_CASE("pieces that a codec cannot hold are refused") {
  const auto said = [](CodecSpec spec, PieceFormat format, std::uint64_t rows = 256) -> std::string {
    spec.format = format;
    try {
      check_pieces(spec, rows);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      return error.what();
    }
    return {};
  };
  const CodecSpec jpeg = jpeg_spec({}), webp = webp_spec({}), lerc = lerc_spec({});
  CHECK(said(jpeg, {256, 4}) == "");
  CHECK(said(jpeg, {256, 5}) ==
        "cannot use jpeg for 5 samples per pixel: it holds up to 4, or any number one plane each");
  CHECK(said(jpeg, {256, 1, SampleType::uint16}) == "cannot use jpeg for uint16 samples: it is for uint8");
  CHECK(said(jpeg, {65536, 1}) == "cannot use jpeg for pieces of 65536 x 256 pixels: its sides end at 65535");
  CHECK(said(jpeg, {256, 1}, 65536) != "");
  CHECK(said(webp, {256, 3}) == "");
  CHECK(
      said(webp, {256, 1}) ==
      "cannot use webp for 1 interleaved sample per pixel: it is for 3 or 4: colours, or colours and alpha");
  CHECK(said(webp, {256, 3, SampleType::int8}) == "cannot use webp for int8 samples: it is for uint8");
  CHECK(said(webp, {16384, 3}) != "");
  for (const SampleType type : all_sample_types) {
    const bool is_held = std::ranges::find(lerc_types, type) != std::end(lerc_types);
    CHECK((said(lerc, {256, 1, type}) == "") == is_held);
  }
  CHECK(said(lerc, {65536, 3, SampleType::float64}, 65536) != "");
}

TEST_CASE("names of codecs as a user chooses them lead to their specs and back") {
  for (const std::string& name : codec_names()) {
    const auto spec = codec_spec_named(name);
    REQUIRE(spec.has_value());
    CHECK(name_of(*spec) == name);
  }
  CHECK(codec_spec_named("lerc_zstd")->lerc_compression == LercCompression::zstd);
  CHECK_FALSE(codec_spec_named("lerc_lzw").has_value());
}

TEST_CASE("pieces come back exact, or as near as their codec promises, within the bound") {
  for (const std::uint64_t width : {1u, 7u, 16u, 65u, 256u})
    for (const CodecSpec& spec : image_specs(width))
      for (const std::uint64_t rows : {1u, 16u, 33u}) {
        if (width == 256 && rows == 33 && spec.format.samples == 3) continue;  // enough
        CAPTURE(described_image(spec));
        CAPTURE(rows);
        const std::size_t bytes = rows * spec.format.row_bytes();
        Bytes noise = spec.max_error && is_floating(spec.format.type) ? picture(spec.format, rows, 8, 100)
                                                                      : random_bytes(bytes, 3);
        if (spec.lossless && spec.format.samples == 4)  // see the test of hidden colours
          for (std::size_t i = 3; i < bytes; i += 4) noise[i] |= std::byte{1};
        for (const Bytes& raw : {picture(spec.format, rows, 2), noise, Bytes(bytes)}) {
          Fenced bounded(max_encoded_bytes(spec, bytes)), output(bytes);
          const std::size_t made = make_encoder(spec, bytes, Scratch())->encode(raw, bounded.span());
          REQUIRE(made <= bounded.span().size());
          Fenced stored(bounded.span().first(made));
          const auto decoder = make_decoder(decode_spec(spec, rows), Scratch());
          REQUIRE(decoder->decode(stored.span(), output.span()) == bytes);
          const Bytes back(output.span().begin(), output.span().end());
          if (!is_lossy(spec)) REQUIRE(back == raw);
          // An ulp of a float's 150 is on top.
          if (spec.max_error && is_lossy(spec))
            REQUIRE(largest_difference(raw, back, spec.format.type) <= *spec.max_error + 1e-4);
        }
      }
}

TEST_CASE("lossy codecs change smooth pictures by little at a high quality, and by more at a low one") {
  for (const PieceFormat& format : {PieceFormat{128, 1}, PieceFormat{128, 3, SampleType::uint8, true},
                                    PieceFormat{128, 3}, PieceFormat{128, 4}}) {
    const Bytes raw = picture(format, 128, 4, 0);
    const auto change = [&](const CodecSpec& spec) {
      const Bytes back = decoded_with(decode_spec(spec, 128), encoded_with(spec, raw), raw.size());
      return largest_difference(raw, back, SampleType::uint8);
    };
    CHECK(change(jpeg_spec(format, 100)) <= (format.is_rgb ? 6 : 2));
    CHECK(change(jpeg_spec(format, 75)) <= (format.is_rgb ? 16 : 12));
    CHECK(change(jpeg_spec(format, 5)) > change(jpeg_spec(format, 75)));
    if (format.samples < 3) continue;
    CHECK(change(webp_spec(format, 100)) <= 12);
    CHECK(change(webp_spec(format, 1)) > change(webp_spec(format, 100)));
  }
}

TEST_CASE("jpeg streams are abbreviated: their tables are in the tag, which does not depend on the pieces") {
  const CodecSpec spec = jpeg_spec({64, 3, SampleType::uint8, true});
  const CodecTags tags = tags_of(spec);
  REQUIRE(tags.tags.size() == 3);
  CHECK(tags.photometric == 6);
  CHECK(tags.tags[0].id == 347);
  CHECK(tags.tags[1].id == 530);
  CHECK(tags.tags[2].id == 532);
  const Bytes encoded = encoded_with(spec, picture(spec.format, 64, 5));
  const auto has_marker = [](const Bytes& data, unsigned marker) {
    for (std::size_t i = 0; i + 1 < data.size(); ++i)
      if (data[i] == std::byte{0xff} && data[i + 1] == static_cast<std::byte>(marker)) return true;
    return false;
  };
  CHECK(has_marker(tags.tags[0].bytes, 0xdb));  // DQT
  CHECK_FALSE(has_marker(encoded, 0xdb));
  CHECK_FALSE(has_marker(encoded, 0xe0));  // JFIF
  DecodeSpec without = decode_spec(spec, 64);
  without.jpeg_tables.clear();
  Bytes out(64 * spec.format.row_bytes());
  CHECK_THROWS_AS((void)make_decoder(without, Scratch())->decode(encoded, out), Error);
  CHECK(tags_of(jpeg_spec({1000, 3, SampleType::uint8, true})).tags[0].bytes == tags.tags[0].bytes);
  CHECK(tags_of(jpeg_spec({64, 3, SampleType::uint8, true}, 50)).tags[0].bytes != tags.tags[0].bytes);
  CHECK(tags_of(jpeg_spec({64, 3})).tags.size() == 1);
  CHECK_FALSE(tags_of(jpeg_spec({64, 3})).photometric.has_value());
}

TEST_CASE("lerc says its version and what packs its blobs") {
  const CodecTags tags = tags_of(lerc_spec({64, 1}, 0, LercCompression::zstd));
  REQUIRE(tags.tags.size() == 1);
  CHECK(tags.tags[0].id == 50674);
  std::uint32_t values[2];
  REQUIRE(tags.tags[0].bytes.size() == sizeof values);
  std::memcpy(values, tags.tags[0].bytes.data(), sizeof values);
  CHECK(values[0] == 4);
  CHECK(values[1] == 2);
  CHECK(tags_of(webp_spec({64, 3})).tags.empty());
}

TEST_CASE("lerc keeps NaN where samples are not interleaved, and refuses them where they are") {
  for (const SampleType type : {SampleType::float32, SampleType::float64})
    for (const double error : {0.0, 0.5}) {
      const CodecSpec one = lerc_spec({32, 1, type}, error), three = lerc_spec({32, 3, type}, error);
      const auto with_nan = [&](const PieceFormat& format, bool all) {
        Bytes raw = picture(format, 16, 6);
        const double nan = std::numeric_limits<double>::quiet_NaN();
        for (std::size_t i = 0; i < raw.size() / bytes_of(type); ++i)
          if (all || i % 5 == 1)
            with_sample_type(type, [&](auto like) { put_sample<decltype(like)>(raw, i, nan); });
        return raw;
      };
      for (const bool all : {false, true}) {
        const Bytes raw = with_nan(one.format, all);
        const Bytes back = decoded_with(decode_spec(one, 16), encoded_with(one, raw), raw.size());
        CHECK(largest_difference(raw, back, type) <= error + 1e-4);
        CHECK_THROWS_WITH_AS((void)encoded_with(three, with_nan(three.format, all)),
                             doctest::Contains("NaN among the interleaved samples"), Error);
      }
    }
}

TEST_CASE("lossless webp keeps colours under an alpha of 0, or says that this libtiff cannot") {
  const CodecSpec spec = webp_spec({32, 4});
  Bytes raw = picture(spec.format, 32, 7);
  for (std::size_t i = 3; i < raw.size(); i += 8) raw[i] = std::byte{0};
  try {
    const Bytes encoded = encoded_with(spec, raw);
    CHECK(decoded_with(decode_spec(spec, 32), encoded, raw.size()) == raw);
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("colours under an alpha of 0") != std::string::npos);
  }
  for (std::size_t i = 3; i < raw.size(); i += 8) raw[i - 1] = raw[i - 2] = raw[i - 3] = std::byte{0};
  CHECK(decoded_with(decode_spec(spec, 32), encoded_with(spec, raw), raw.size()) == raw);
}

TEST_CASE("the same piece gives the same bytes, whatever came before") {
  for (const CodecSpec& spec : image_specs(96)) {
    CAPTURE(described_image(spec));
    const Bytes piece = picture(spec.format, 48, 1), other = picture(spec.format, 32, 2, 9);
    const auto encoder = make_encoder(spec, piece.size(), Scratch());
    Bytes out(max_encoded_bytes(spec, piece.size()));
    const auto encode = [&](const Bytes& raw) {
      const std::size_t bytes = encoder->encode(raw, out);
      return Bytes(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(bytes));
    };
    const Bytes first = encode(piece);
    (void)encode(other);
    std::ranges::fill(out, std::byte{0x5a});
    REQUIRE(encode(piece) == first);
    REQUIRE(encoded_with(spec, piece) == first);
  }
}

TEST_CASE("the first rows of a tile are decoded alone, and the last strip has its own rows") {
  for (const CodecSpec& spec : image_specs(48)) {
    CAPTURE(described_image(spec));
    const std::size_t row = spec.format.row_bytes();
    const Bytes raw = picture(spec.format, 32, 3), tile = encoded_with(spec, raw);
    const Bytes whole = decoded_with(decode_spec(spec, 32), tile, raw.size());
    for (const std::uint64_t rows : {1u, 15u, 16u, 31u}) {
      const Bytes part = decoded_with(decode_spec(spec, 32), tile, rows * row);
      REQUIRE(std::equal(part.begin(), part.end(), whole.begin()));
    }
    const Bytes short_raw(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(9 * row));
    const Bytes strip = encoded_with(spec, short_raw);
    const Bytes back = decoded_with(decode_spec(spec, 32, false), strip, short_raw.size());
    CHECK(back == decoded_with(decode_spec(spec, 9), strip, short_raw.size()));
    // Whole rows only, and no more than asked for.
    Fenced out(2 * row + row / 2);
    CHECK(make_decoder(decode_spec(spec, 32), Scratch())->decode(tile, out.span()) == 2 * row);
  }
}

TEST_CASE("an image of another size than the piece is an error") {
  for (const CodecSpec& spec : image_specs(48)) {
    CAPTURE(described_image(spec));
    for (const auto& [width, rows] : {std::pair{32u, 32u}, std::pair{64u, 32u}, std::pair{48u, 16u}}) {
      CodecSpec other = spec;
      other.format.width = width;
      const Bytes encoded = encoded_with(other, picture(other.format, rows, 4));
      Bytes out(32 * spec.format.row_bytes());
      CHECK_THROWS_AS((void)make_decoder(decode_spec(spec, 32), Scratch())->decode(encoded, out), Error);
    }
  }
}

TEST_CASE("image data cut at any length is an error") {
  for (const CodecSpec& spec : image_specs(24)) {
    CAPTURE(described_image(spec));
    const Bytes raw = picture(spec.format, 24, 5), encoded = encoded_with(spec, raw);
    const auto decoder = make_decoder(decode_spec(spec, 24), Scratch());
    const Bytes whole = decoded_with(decode_spec(spec, 24), encoded, raw.size());
    Fenced out(raw.size());
    for (std::size_t length = 0; length < encoded.size(); ++length) {
      CAPTURE(length);
      Fenced cut(std::span<const std::byte>(encoded).first(length));
      try {
        const std::size_t filled = decoder->decode(cut.span(), out.span());
        // Only what lies behind the pixels may be missing.
        if (length > 0) REQUIRE(filled == raw.size());
        REQUIRE(std::equal(out.span().begin(), out.span().begin() + static_cast<std::ptrdiff_t>(filled),
                           whole.begin()));
        REQUIRE((filled == 0 || length + 8 > encoded.size()));
      } catch (const Error& error) {
        REQUIRE_FALSE(error.reason().empty());
      }
    }
    REQUIRE(decoder->decode(encoded, out.span()) == raw.size());
    REQUIRE(std::equal(whole.begin(), whole.end(), out.span().begin()));
  }
}

TEST_CASE("damaged image data never crashes, hangs or reaches outside, and does no harm to the next piece") {
  std::mt19937 random(18);
  for (const CodecSpec& spec : image_specs(40)) {
    if (spec.quality == 1 || spec.quality == 100) continue;
    CAPTURE(described_image(spec));
    const Bytes raw = picture(spec.format, 40, 19), good = encoded_with(spec, raw);
    const auto decoder = make_decoder(decode_spec(spec, 40), Scratch());
    const Bytes whole = decoded_with(decode_spec(spec, 40), good, raw.size());
    for (int round = 0; round < 300; ++round) {
      Bytes bad = round % 3 == 0 ? random_bytes(random() % 300, static_cast<std::uint32_t>(random())) : good;
      if (round % 3 != 0)
        for (std::size_t flips = 1 + random() % 4; flips > 0; --flips)
          bad[random() % bad.size()] ^= static_cast<std::byte>(1u << random() % 8);
      if (round % 7 == 0 && bad.size() > 32) std::copy_n(good.begin(), 32, bad.begin());
      Fenced input(bad), out(raw.size());
      std::size_t filled = 0;
      try {
        filled = decoder->decode(input.span(), out.span());
      } catch (const Error&) {
      }
      REQUIRE(filled <= raw.size());
      if (round % 50 == 0) {
        Fenced again(raw.size());
        REQUIRE(decoder->decode(good, again.span()) == raw.size());
        REQUIRE(std::equal(whole.begin(), whole.end(), again.span().begin()));
      }
    }
  }
}

}  // namespace
}  // namespace weir
