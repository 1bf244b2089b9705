// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/unpack.h"

#include <algorithm>
#include <vector>

namespace casemate::engine {
namespace {

using dnnl::memory;

// The place of an element is a sum of one number for each of its indices: strides are, and so are
// blocks, each of which is of one dimension.
using Places = std::vector<std::vector<int64_t>>;

Places places_of(const memory::desc& desc) {
  const memory::dims dims = desc.get_dims();
  const memory::dims strides = desc.get_strides();
  const memory::dims blocks = desc.get_inner_blks();
  const memory::dims blocked = desc.get_inner_idxs();
  Places places(dims.size());
  for (size_t d = 0; d < dims.size(); ++d) {
    for (int64_t i = 0; i < dims[d]; ++i) {
      int64_t place = 0;
      int64_t left = i;
      int64_t stride = 1;
      for (size_t k = blocks.size(); k-- > 0; stride *= blocks[k]) {
        if (blocked[k] != static_cast<int64_t>(d)) continue;
        place += left % blocks[k] * stride;
        left /= blocks[k];
      }
      places[d].push_back(place + left * strides[d]);
    }
  }
  return places;
}

class Copy final {
 public:
  Copy(Places from, Places to, const float* source, float* target)
      : from_(std::move(from)), to_(std::move(to)), source_(source), target_(target) {}

  void run(size_t dimension, int64_t from, int64_t to) const {
    const std::vector<int64_t>& a = from_[dimension];
    const std::vector<int64_t>& b = to_[dimension];
    if (dimension + 1 < from_.size()) {
      for (size_t i = 0; i < a.size(); ++i) run(dimension + 1, from + a[i], to + b[i]);
      return;
    }
    for (size_t i = 0; i < a.size(); ++i) target_[to + b[i]] = source_[from + a[i]];
  }

 private:
  Places from_;
  Places to_;
  const float* source_;
  float* target_;
};

const float* floats(const uint8_t* bytes) {
  return static_cast<const float*>(static_cast<const void*>(bytes));
}

}  // namespace

bool unpackable(const memory::desc& plain, const memory::desc& packed) {
  const auto sound = [](const memory::desc& desc) {
    return desc.get_format_kind() == memory::format_kind::blocked && desc.get_ndims() > 0 &&
           desc.get_data_type() == memory::data_type::f32 && desc.get_submemory_offset() == 0;
  };
  return sound(plain) && sound(packed) && plain.get_inner_nblks() == 0 &&
         plain.get_dims() == packed.get_dims();
}

std::string unpack(Bytes bytes, const memory::desc& plain, const memory::desc& packed) {
  std::string result;
  result.resize_and_overwrite(plain.get_size(), [](char*, size_t size) { return size; });
  Copy(places_of(packed), places_of(plain), floats(bytes.data()),
       static_cast<float*>(static_cast<void*>(result.data())))
      .run(0, 0, 0);
  return result;
}

bool half_filled(const memory::desc& packed) {
  return packed.get_padded_dims() != packed.get_dims();
}

void pack_half_filled(Bytes bytes, const memory::desc& plain, const memory::desc& packed,
                      MutableBytes to) {
  std::ranges::fill(to, uint8_t{0});
  Copy(places_of(plain), places_of(packed), floats(bytes.data()),
       static_cast<float*>(static_cast<void*>(to.data())))
      .run(0, 0, 0);
}

}  // namespace casemate::engine
