// SPDX-License-Identifier: Apache-2.0
#pragma once
// One head of attention: a block of queries at a time, so that their scores stay in the cache. See
// vector.h.

#include "isolated/engine/kernels/vector_product.h"

namespace casemate::engine {
namespace {

constexpr int64_t kQueryBlock = 48;
// With so few queries it does not pay to rearrange keys and values for them.
constexpr int64_t kFewQueries = 3;

CASEMATE_INLINE int64_t padded(int64_t count) {
  return (count + kTileColumns - 1) / kTileColumns * kTileColumns;
}

int64_t attention_scratch(int64_t keys, int64_t width, int64_t value_width) {
  return padded(keys) * width + keys * padded(value_width) +
         kQueryBlock * (padded(keys) + padded(value_width));
}

// Key by key into panels [width][kTileColumns]; behind the last key they are 0.
inline void pack_keys(const HeadAttention& given, float* panels) {
  int64_t token = 0;
  const auto pack = [&](const float* key) {
    float* to = panels + token / kTileColumns * kTileColumns * given.width + token % kTileColumns;
    for (int64_t i = 0; i < given.width; ++i) to[i * kTileColumns] = key == nullptr ? 0 : key[i];
    ++token;
  };
  for (const KeyValueRows& part : given.parts) {
    for (int64_t i = 0; i < part.count; ++i) pack(part.keys + i * part.key_step);
  }
  while (token < padded(given.key_count())) pack(nullptr);
}

// Values into panels [keys][kTileColumns]; behind the last column they are 0.
inline void pack_values(const HeadAttention& given, float* panels) {
  const int64_t keys = given.key_count();
  int64_t token = 0;
  for (const KeyValueRows& part : given.parts) {
    for (int64_t i = 0; i < part.count; ++i, ++token) {
      const float* value = part.values + i * part.value_step;
      for (int64_t j = 0; j < padded(given.value_width); j += kLanes) {
        const int64_t left = given.value_width - j;
        float* to = panels + j / kTileColumns * kTileColumns * keys + token * kTileColumns +
                    j % kTileColumns;
        store(to, left >= kLanes ? load(value + j) : load_part(value + j, left > 0 ? left : 0));
      }
    }
  }
}

CASEMATE_INLINE Vector masked(const float* scores, const float* mask, int64_t mask_step,
                              float scale, int64_t left) {
  Vector score = left >= kLanes ? load(scores) : load_part(scores, left);
  score *= scale;
  if (mask != nullptr && mask_step == 0) score += *mask;
  if (mask != nullptr && mask_step != 0)
    score += left >= kLanes ? load(mask) : load_part(mask, left);
  if (left >= kLanes) return score;
  float part[kLanes];
  store(part, score);
  return load_part(part, left, -std::numeric_limits<float>::infinity());
}

// Scores to weights of the keys that are not yet divided by their sum, which it returns. Requires:
// room for whole vectors.
inline float weigh(float* scores, int64_t keys, const float* mask, int64_t mask_step, float scale) {
  Vector top = all(-std::numeric_limits<float>::infinity());
  for (int64_t i = 0; i < keys; i += kLanes) {
    const float* row = mask == nullptr ? nullptr : mask + i * mask_step;
    const Vector score = masked(scores + i, row, mask_step, scale, keys - i);
    top = larger(score, top);
    store(scores + i, score);
  }
  const float largest = largest_of(top);
  Vector sum{};
  for (int64_t i = 0; i < keys; i += kLanes) {
    const Vector weight = exp_of(load(scores + i) - largest);
    sum += weight;
    store(scores + i, weight);
  }
  return sum_of(sum);
}

inline const float* mask_row(const HeadAttention& given, int64_t query) {
  return given.mask == nullptr ? nullptr : given.mask + query * given.mask_row_step;
}

inline void attend_block(const HeadAttention& given, int64_t first, int64_t count,
                         const float* keys, const float* values, float* scores) {
  const int64_t key_count = given.key_count();
  const int64_t score_step = padded(key_count);
  const int64_t sum_step = padded(given.value_width);
  float* sums = scores + kQueryBlock * score_step;
  const float* queries = given.queries + first * given.query_step;
  for (int64_t j = 0; j < score_step; j += kTileColumns) {
    multiply_panel(count, given.width, queries, given.query_step, keys + j * given.width,
                   scores + j, score_step);
  }
  float inverse[kQueryBlock];
  for (int64_t i = 0; i < count; ++i) {
    inverse[i] = 1.0F / weigh(scores + i * score_step, key_count, mask_row(given, first + i),
                              given.mask_step, given.scale);
  }
  for (int64_t j = 0; j < sum_step; j += kTileColumns)
    multiply_panel(count, key_count, scores, score_step, values + j * key_count, sums + j,
                   sum_step);
  for (int64_t i = 0; i < count; ++i) {
    float* out = given.out + (first + i) * given.out_step;
    for (int64_t j = 0; j < given.value_width; j += kLanes) {
      const Vector value = load(sums + i * sum_step + j) * inverse[i];
      const int64_t left = given.value_width - j;
      if (left >= kLanes) {
        store(out + j, value);
      } else {
        store_part(out + j, value, left);
      }
    }
  }
}

CASEMATE_INLINE float dot(const float* a, const float* b, int64_t count) {
  Vector sum{};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) sum += load(a + i) * load(b + i);
  float total = sum_of(sum);
  for (; i < count; ++i) total += a[i] * b[i];
  return total;
}

// A few columns of the weighted sum of all values.
template <int vectors>
CASEMATE_INLINE void sum_columns(const HeadAttention& given, const float* weights, float inverse,
                                 int64_t column, float* out) {
  Vector sums[vectors] = {};
  for (const KeyValueRows& part : given.parts) {
    for (int64_t i = 0; i < part.count; ++i) {
      const float* value = part.values + i * part.value_step + column;
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j) sums[j] += *weights * load(value + j * kLanes);
      ++weights;
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < vectors; ++j) store(out + column + j * kLanes, sums[j] * inverse);
}

inline void attend_query(const HeadAttention& given, int64_t query) {
  const float* q = given.queries + query * given.query_step;
  float* scores = given.scratch;
  float* score = scores;
  for (const KeyValueRows& part : given.parts) {
    for (int64_t i = 0; i < part.count; ++i)
      *score++ = dot(q, part.keys + i * part.key_step, given.width);
  }
  const int64_t keys = given.key_count();
  const float inverse =
      1.0F / weigh(scores, keys, mask_row(given, query), given.mask_step, given.scale);
  float* out = given.out + query * given.out_step;
  int64_t column = 0;
  for (; column + 4 * kLanes <= given.value_width; column += 4 * kLanes)
    sum_columns<4>(given, scores, inverse, column, out);
  for (; column + kLanes <= given.value_width; column += kLanes)
    sum_columns<1>(given, scores, inverse, column, out);
  for (; column < given.value_width; ++column) {
    float sum = 0;
    const float* weight = scores;
    for (const KeyValueRows& part : given.parts) {
      for (int64_t i = 0; i < part.count; ++i)
        sum += *weight++ * part.values[i * part.value_step + column];
    }
    out[column] = sum * inverse;
  }
}

void attend_head(const HeadAttention& given) {
  if (given.query_count <= kFewQueries) {
    for (int64_t i = 0; i < given.query_count; ++i) attend_query(given, i);
    return;
  }
  float* keys = given.scratch;
  float* values = keys + padded(given.key_count()) * given.width;
  float* scores = values + given.key_count() * padded(given.value_width);
  pack_keys(given, keys);
  pack_values(given, values);
  for (int64_t first = 0; first < given.query_count; first += kQueryBlock) {
    const int64_t left = given.query_count - first;
    attend_block(given, first, left < kQueryBlock ? left : kQueryBlock, keys, values, scores);
  }
}

}  // namespace
}  // namespace casemate::engine
