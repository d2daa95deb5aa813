/* The border between Weir and a plugin: a shared library with nodes of its own. C99, and nothing but fixed-width types
 * crosses it. Authors in C++ include framework/plugin.hpp instead, which wraps all of this.
 *
 * A plugin exports one symbol, weir_plugin, which returns its descriptor, and carries a note (WEIR_PLUGIN_NOTE) that
 * Weir reads from the file before anything of it is loaded. It is loaded once and never unloaded.
 *
 * Versions: a plugin is accepted where its ABI major is the host's and its minor is not above the host's. Structs that
 * begin with `size` (sizeof of the writer's) may grow at their end in a minor version; readers take what is there. The
 * others stay as they are through a major version.
 *
 * Threads: `create`, `describe`, `open`, `write`, `close` and `destroy` of an object are called one at a time;
 * everything that takes a const self, from many threads at once. A `weir_host` is valid during the call that it is
 * given to, on that thread.
 *
 * Errors: a function that fails calls host->say with one line, why, and returns a status other than WEIR_OK. No
 * exception may cross.
 *
 * Memory: pixels and encoded bytes lie in buffers of the host. What a body needs beyond them it takes from
 * host->allocate, inside of what it declared (scratch_bytes), so that a run's budget is exact. */
#ifndef WEIR_PLUGIN_H
#define WEIR_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef WEIR_PLUGIN_ABI_MAJOR /* only tests set these from outside */
#define WEIR_PLUGIN_ABI_MAJOR 1
#endif
#ifndef WEIR_PLUGIN_ABI_MINOR
#define WEIR_PLUGIN_ABI_MINOR 0
#endif
#define WEIR_PLUGIN_MAGIC 0x72696577u /* "weir" */

/* 1. The note ------------------------------------------------------------------------------------------------------ */

/* What of the compiler's ABI could break this border: byte order, sizes and alignment; and an address or thread
 * sanitizer, whose runtime stops a process that was not built with it. The C++ ABI is no part of it. */
#ifndef WEIR_PLUGIN_COMPILER_ABI
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define WEIR_PLUGIN_BYTE_ORDER_ "big"
#else
#define WEIR_PLUGIN_BYTE_ORDER_ "little"
#endif
#if defined(__LP64__)
#define WEIR_PLUGIN_MODEL_ "lp64"
#elif defined(__i386__)
#define WEIR_PLUGIN_MODEL_ "ilp32-align4"
#else
#define WEIR_PLUGIN_MODEL_ "ilp32"
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_PLUGIN_SANITIZER_ "+asan"
#elif __has_feature(thread_sanitizer)
#define WEIR_PLUGIN_SANITIZER_ "+tsan"
#elif __has_feature(memory_sanitizer)
#define WEIR_PLUGIN_SANITIZER_ "+msan"
#endif
#endif
#if !defined(WEIR_PLUGIN_SANITIZER_) && defined(__SANITIZE_ADDRESS__)
#define WEIR_PLUGIN_SANITIZER_ "+asan"
#elif !defined(WEIR_PLUGIN_SANITIZER_) && defined(__SANITIZE_THREAD__)
#define WEIR_PLUGIN_SANITIZER_ "+tsan"
#elif !defined(WEIR_PLUGIN_SANITIZER_)
#define WEIR_PLUGIN_SANITIZER_ ""
#endif
#define WEIR_PLUGIN_COMPILER_ABI WEIR_PLUGIN_MODEL_ "-" WEIR_PLUGIN_BYTE_ORDER_ WEIR_PLUGIN_SANITIZER_
#endif

#ifdef __clang__
#define WEIR_PLUGIN_COMPILER_ __VERSION__
#else
#define WEIR_PLUGIN_COMPILER_ "gcc " __VERSION__
#endif

/* The bytes of section .note.weir: an ELF note (System V gABI, chapter 5) with owner "WEIR" and type 1. Texts end in
 * a zero byte. */
typedef struct weir_plugin_note {
  uint32_t owner_bytes, description_bytes, type;
  char owner[8]; /* padded to 4 bytes as the format wants */
  uint32_t magic;
  uint32_t abi_major, abi_minor;
  char name[48], version[32];
  char compiler_abi[32]; /* WEIR_PLUGIN_COMPILER_ABI: must be the host's */
  char compiler[128];    /* for people */
} weir_plugin_note;

#define WEIR_PLUGIN_NOTE(name, version)                                                                 \
  __attribute__((section(".note.weir"), used, aligned(4))) static const weir_plugin_note weir_note_ = { \
      5,                                                                                                \
      (uint32_t)(sizeof(weir_plugin_note) - offsetof(weir_plugin_note, magic)),                         \
      1,                                                                                                \
      "WEIR",                                                                                           \
      WEIR_PLUGIN_MAGIC,                                                                                \
      WEIR_PLUGIN_ABI_MAJOR,                                                                            \
      WEIR_PLUGIN_ABI_MINOR,                                                                            \
      name,                                                                                             \
      version,                                                                                          \
      WEIR_PLUGIN_COMPILER_ABI,                                                                         \
      WEIR_PLUGIN_COMPILER_}

/* 2. What the host gives ------------------------------------------------------------------------------------------- */

typedef int32_t weir_status;
enum {
  WEIR_OK = 0,
  WEIR_FAILED = 1,    /* the work could not be done */
  WEIR_USAGE = 2,     /* parameters or inputs that do not fit */
  WEIR_NO_MEMORY = 3, /* host->allocate gave nothing */
  WEIR_CANCELLED = 4  /* host->stopped said so */
};

typedef struct weir_host weir_host;
struct weir_host {
  uint32_t size;
  uint32_t abi_minor; /* the host's */
  void* context;      /* the host's own */
  /* A word that lives as long as the calling thread's memory for this node, at first NULL: a place to keep a block
   * from one call to the next. NULL where `allocate` gives nothing. */
  void** local;
  /* Says why the call fails: one line. Copied; the last one counts. */
  void (*say)(const weir_host* host, const char* reason);
  /* Memory that the node declared with scratch_bytes, aligned to 64 bytes; NULL where it asks for more, where the
   * system has none, and in create, describe, fetch, open and close. A block counts WEIR_BLOCK_BYTES(bytes). What is
   * not released stays with the thread until the run ends, and is freed by the host. */
  void* (*allocate)(const weir_host* host, uint64_t bytes);
  void (*release)(const weir_host* host, void* block);
  /* Whether the run was cancelled: for bodies that take seconds. */
  int32_t (*stopped)(const weir_host* host);
};
#define WEIR_BLOCK_BYTES(bytes) (((uint64_t)(bytes) + 63) / 64 * 64 + 64)

/* The value of parameter i of the node's schema, checked, defaults filled in. */
typedef struct weir_value {
  const char* name;
  uint32_t is_set; /* 0: an optional one that was not given */
  uint32_t type;
  int64_t integer;        /* flag (0 or 1), integer, bytes */
  double number;          /* number */
  const char* text;       /* text, choice; valid during create */
  uint64_t height, width; /* size */
} weir_value;

/* 3. The descriptor ------------------------------------------------------------------------------------------------ */

enum {
  WEIR_FLAG = 1,
  WEIR_INTEGER = 2,
  WEIR_NUMBER = 3,
  WEIR_TEXT = 4,
  WEIR_CHOICE = 5,
  WEIR_BYTES = 6, /* 4096, 64K, 1.5M */
  WEIR_SIZE = 7   /* pixels: 512, 256x1024 (height before width) */
};
enum { WEIR_REQUIRED = 1, WEIR_HAS_LEAST = 2, WEIR_HAS_MOST = 4 };

typedef struct weir_parameter {
  uint32_t size;
  uint32_t type;
  const char* name;          /* snake_case */
  const char* help;          /* one sentence without its period */
  const char* default_value; /* as it would be written; NULL: none */
  const char* unit;          /* NULL: none */
  uint32_t flags;
  uint32_t choice_count;
  const char* const* choices;
  double least, most; /* inclusive */
} weir_parameter;

typedef struct weir_input {
  uint32_t size;
  uint32_t reserved;
  const char* name; /* "input", or "red" and "nir" where there are several */
  const char* help;
} weir_input;

/* Inputs that a node can have. */
#define WEIR_MOST_INPUTS 16
enum { WEIR_SOURCE = 1, WEIR_TRANSFORM = 2, WEIR_STENCIL = 3, WEIR_CODEC = 4, WEIR_SINK = 5 };

typedef struct weir_node {
  uint32_t size;
  uint32_t kind;
  const char* name;  /* snake_case, no other node's */
  const char* help;  /* one sentence without its period */
  const char* bytes; /* the memory that it takes, in words */
  uint32_t parameter_count;
  uint32_t input_count; /* source, codec: 0; sink: 1; transform, stencil: at least 1 */
  const weir_parameter* const* parameters;
  const weir_input* const* inputs;
  const void* functions; /* weir_source, weir_kernel, weir_codec or weir_sink, as the kind says */
} weir_node;

typedef struct weir_plugin_descriptor {
  uint32_t size;
  uint32_t magic;
  uint32_t abi_major, abi_minor;
  const char *name, *version, *licence; /* name and version as in the note; licence as SPDX says it: "MIT" */
  uint32_t node_count;
  uint32_t reserved;
  const weir_node* const* nodes;
} weir_plugin_descriptor;

typedef const weir_plugin_descriptor* (*weir_plugin_function)(void);
/* The one symbol; defined by the plugin. */
__attribute__((visibility("default"))) const weir_plugin_descriptor* weir_plugin(void);

/* 4. Rasters: what nodes work on ----------------------------------------------------------------------------------- */

enum {
  WEIR_UINT8 = 0,
  WEIR_INT8 = 1,
  WEIR_UINT16 = 2,
  WEIR_INT16 = 3,
  WEIR_UINT32 = 4,
  WEIR_INT32 = 5,
  WEIR_UINT64 = 6,
  WEIR_INT64 = 7,
  WEIR_FLOAT32 = 8,
  WEIR_FLOAT64 = 9
};

/* Rows count downwards. */
typedef struct weir_window {
  uint64_t row, col, height, width;
} weir_window;

/* Pixels of a window of a raster. Sample s of pixel (r, c), counted from the window's corner, lies at data + r *
 * row_stride + c * pixel_stride + s * sample_stride; strides in bytes, any alignment, byte order of the machine. */
typedef struct weir_pixels {
  uint8_t* data;
  weir_window window; /* in pixels of the whole raster */
  uint32_t type, samples;
  uint64_t row_stride, pixel_stride, sample_stride;
} weir_pixels;

typedef struct weir_numbers {
  const double* data;
  uint64_t count;
} weir_numbers;

/* Everything about a raster but its pixels. Pointers belong to whoever filled it in: the host's are valid during the
 * call, the plugin's until the next call on the same object. */
typedef struct weir_raster {
  uint32_t size;
  uint32_t type;
  uint64_t height, width;
  uint32_t samples;     /* per pixel */
  uint32_t photometric; /* TIFF PhotometricInterpretation: 1 is MinIsBlack, 2 RGB */
  const char* nodata;   /* as written: a number or "nan"; NULL: none */
  /* GeoTIFF 1.1 (OGC 19-008): ModelPixelScale, ModelTiepoint, ModelTransformation, GeoDoubleParams */
  weir_numbers pixel_scale, tiepoints, transformation, key_doubles;
  const uint16_t* key_directory; /* GeoKeyDirectory */
  uint64_t key_directory_count;
  const char* key_ascii; /* GeoAsciiParams; NULL: none */
} weir_raster;

typedef weir_status (*weir_create)(const weir_host* host, const weir_value* values, uint32_t count,
                                   void** self);
typedef void (*weir_destroy)(void* self);

/* What a source says of itself; `describe` fills it in. */
typedef struct weir_source_plan {
  uint32_t size;
  uint32_t reserved;
  weir_raster* raster;                /* the host's, to be filled in; at first one pixel of one uint8 */
  uint64_t chunk_height, chunk_width; /* how it is read */
  uint64_t fetch_bytes;               /* most stored bytes of one chunk; 0: fetch is never called */
  uint64_t scratch_bytes;             /* per thread */
  uint64_t standing_bytes;            /* what the object itself keeps: indexes, tables */
} weir_source_plan;

/* A raster, chunk by chunk: fetch waits (I/O threads), read computes (every core). */
typedef struct weir_source {
  uint32_t size;
  uint32_t reserved;
  weir_create create;
  weir_destroy destroy;
  weir_status (*describe)(void* self, const weir_host* host, weir_source_plan* plan);
  /* The stored bytes of a chunk, at most `capacity`. NULL where fetch_bytes is 0. */
  weir_status (*fetch)(const void* self, const weir_host* host, const weir_window* chunk, uint8_t* stored,
                       uint64_t capacity, uint64_t* used);
  /* All pixels of the chunk out->window. */
  weir_status (*read)(const void* self, const weir_host* host, const uint8_t* stored, uint64_t stored_bytes,
                      const weir_pixels* out);
} weir_source;

/* A transform (halo 0) or a stencil: pixels of one or several rasters of one height and width in, of one out. The
 * values must not depend on how the raster is cut into windows. */
typedef struct weir_kernel {
  uint32_t size;
  uint32_t reserved;
  weir_create create;
  weir_destroy destroy;
  /* `out` holds a copy of the first input; height, width and place stay. `halo`: pixels needed around each pixel. */
  weir_status (*describe)(void* self, const weir_host* host, const weir_raster* const* inputs, uint32_t count,
                          weir_raster* out, uint64_t* halo);
  /* Per thread, for windows of at most `pixels` pixels of the output; NULL: none. Grows with `pixels`. */
  uint64_t (*scratch_bytes)(const void* self, uint64_t pixels);
  /* Each input's window is out->window grown by the halo and clipped to the raster. Inputs are only read. */
  weir_status (*compute)(const void* self, const weir_host* host, const weir_pixels* inputs, uint32_t count,
                         const weir_pixels* out);
} weir_kernel;

/* What a codec says of itself. */
typedef struct weir_codec_plan {
  uint32_t size;
  uint32_t tiff_compression; /* TIFF's Compression tag, 32768 to 65535, none of Weir's own */
  uint32_t has_levels;
  int32_t least_level, most_level, default_level;
} weir_codec_plan;

/* Encodes and decodes pieces on their own. The same bytes in give the same bytes out, whatever came before. A codec
 * has no parameters: what it writes must be read without them. */
typedef struct weir_codec {
  uint32_t size;
  uint32_t reserved;
  weir_create create;
  weir_destroy destroy;
  weir_status (*describe)(void* self, const weir_host* host, weir_codec_plan* plan);
  uint64_t (*max_encoded_bytes)(const void* self, uint64_t raw_bytes);     /* grows with raw_bytes */
  uint64_t (*encoder_scratch_bytes)(const void* self, uint64_t raw_bytes); /* NULL: none */
  uint64_t (*decoder_scratch_bytes)(const void* self);                     /* NULL: none */
  /* `capacity` is at least max_encoded_bytes(raw_bytes). `level` is 0 where there are none. */
  weir_status (*encode)(const void* self, const weir_host* host, int32_t level, const uint8_t* raw,
                        uint64_t raw_bytes, uint8_t* out, uint64_t capacity, uint64_t* used);
  /* As many bytes as `capacity` and the data allow; the data may be broken in any way. */
  weir_status (*decode)(const void* self, const weir_host* host, const uint8_t* encoded,
                        uint64_t encoded_bytes, uint8_t* out, uint64_t capacity, uint64_t* used);
} weir_codec;

/* Takes a raster tile by tile, in raster order, one call at a time. Only a close that returns WEIR_OK means that the
 * work is done; destroy without it abandons. */
typedef struct weir_sink {
  uint32_t size;
  uint32_t reserved;
  weir_create create;
  weir_destroy destroy;
  uint64_t (*scratch_bytes)(const void* self); /* NULL: none */
  weir_status (*open)(void* self, const weir_host* host, const weir_raster* raster);
  weir_status (*write)(void* self, const weir_host* host, const weir_pixels* tile);
  weir_status (*close)(void* self, const weir_host* host);
} weir_sink;

#ifdef __cplusplus
}
#endif
#endif
