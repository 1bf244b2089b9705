// SPDX-License-Identifier: Apache-2.0
#pragma once
// VectorLoops: loops of our own that keep a processor's vector units busy, compiled for several
// kinds of processors; which ones run is decided when the program runs.
//
//   Owns     nothing.
//   Threads  functions of their operands alone: callers split the work.
//   Trust    pointers, counts and steps were checked by the kernels that pass them.
//   Fails    never.

#include <cstdint>
#include <vector>

namespace casemate::engine {

// Each row less its mean, divided by the root of its variance plus epsilon, scaled and shifted.
// x and y are [rows, columns] and may be the same; scale and shift [columns].
struct RowNormalization {
  const float* x;
  const float* scale;
  const float* shift;  // nullptr: 0
  float* y;
  int64_t rows;
  int64_t columns;
  float epsilon;
};

// Keys and values of some tokens, one row each; steps are from row to row.
struct KeyValueRows {
  const float* keys = nullptr;
  const float* values = nullptr;
  int64_t key_step = 0;
  int64_t value_step = 0;
  int64_t count = 0;
};

// One head of attention (Vaswani et al. 2017, section 3.2.1): for each query q
//   out = softmax(scale q K' + mask) V
// where K and V are the rows of `parts`, one part behind the other.
struct HeadAttention {
  const float* queries;
  int64_t query_step;
  int64_t query_count;
  KeyValueRows parts[2];
  const float* mask;  // nullptr: 0
  int64_t mask_row_step;
  int64_t mask_step;
  float* out;
  int64_t out_step;
  int64_t width;        // of queries and keys
  int64_t value_width;  // of values and results
  float scale;
  float* scratch;

  [[nodiscard]] int64_t key_count() const { return parts[0].count + parts[1].count; }
};

enum class Activate : uint8_t { kNone, kRelu, kTanh, kGelu, kGeluTanh };

// y = x W + bias + addend, activated, for few rows of x: W comes in panels of 64 columns,
// [panels][depth][64].
struct FewRowsProduct {
  static constexpr int64_t kPanel = 64;
  static constexpr int64_t kRowsMax = 8;
  const float* x;  // [rows, depth]
  const float* panels;
  int64_t panel_floats;  // from panel to panel
  const float* bias;     // [columns]; nullptr: 0
  const float* addend;   // [rows, columns]; nullptr: 0
  float* y;              // [rows, columns]; may be the addend
  Activate activation;
  bool activates_first;  // before the addend is added
  int64_t rows;
  int64_t depth;
  int64_t columns;
  int64_t first_panel;
  int64_t last_panel;  // behind the last
};

// One line of a depth-wise convolution, channels last.
struct DepthwiseLine {
  // The lines of the image under the window, [kernel_h], each [width, channels]; nullptr: padding.
  const float* const* lines = nullptr;
  const float* weights = nullptr;  // [kernel_h, kernel_w, channels]
  const float* bias = nullptr;     // [channels]; nullptr: 0
  float* out = nullptr;            // [out_width, channels]
  int64_t in_step = 0;             // floats from pixel to pixel
  int64_t out_step = 0;            // and from result to result
  int64_t channels = 0;
  int64_t width = 0;
  int64_t out_width = 0;
  // Columns of the result whose windows lie inside the image.
  int64_t inner_begin = 0;
  int64_t inner_end = 0;
  int64_t kernel_h = 0;
  int64_t kernel_w = 0;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t pad_left = 0;
  // What is done to each result: negative ones times the slope, then limits.
  bool clamped = false;
  float low = 0;
  float high = 0;
  bool leaky = false;
  float slope = 0;
};

struct VectorLoops {
  const char* name;
  void (*normalize_rows)(const RowNormalization& given);
  // y may be x.
  void (*activate)(Activate function, const float* x, float* y, int64_t count);
  // Floats of scratch memory for attend_head() with so many keys.
  int64_t (*attention_scratch)(int64_t keys, int64_t width, int64_t value_width);
  void (*attend_head)(const HeadAttention& given);
  void (*multiply_few_rows)(const FewRowsProduct& given);
  void (*depthwise_line)(const DepthwiseLine& given);
};

extern const VectorLoops kAvx512Loops;
extern const VectorLoops kAvx2Loops;
extern const VectorLoops kBaselineLoops;

// The fastest that this processor runs, and all that it runs.
const VectorLoops& vector_loops();
std::vector<const VectorLoops*> all_vector_loops();

}  // namespace casemate::engine
