// SPDX-License-Identifier: Apache-2.0
#include "isolated/engine/kernels/dnnl_kernel.h"

#include "base/format.h"
#include "isolated/engine/kernels/unpack.h"
#include "isolated/engine/threads/threads.h"

namespace casemate::engine {
namespace {

using dnnl::memory;

// The memory objects of one kernel in one executor, and oneDNN's view of them.
class DnnlState final : public KernelState {
 public:
  std::vector<dnnl_exec_arg_t> list;
  std::vector<uint8_t*> handles;  // where each argument points now
  std::vector<memory> memories;   // owns what `list` points to
};

const dnnl::stream& cpu_stream() {
  static const dnnl::stream stream(cpu_engine());
  return stream;
}

Error dnnl_error(std::string_view what, dnnl_status_t status) {
  return {Code::kPlatform,
          formatted("oneDNN failed while {} (status {})", what, static_cast<int>(status))};
}

memory::format_tag blocked_tag(uint32_t rank, Layout layout) {
  const bool wide = layout == Layout::kBlocked16;
  switch (rank) {
    case 3:
      return wide ? memory::format_tag::nCw16c : memory::format_tag::nCw8c;
    case 4:
      return wide ? memory::format_tag::nChw16c : memory::format_tag::nChw8c;
    default:
      return wide ? memory::format_tag::nCdhw16c : memory::format_tag::nCdhw8c;
  }
}

// A layout as text, the same for the same layout. oneDNN's own blob of it holds bytes that nobody
// has set, which would have weights packed twice.
std::string form_of(const memory::desc& desc) {
  if (desc.get_format_kind() != memory::format_kind::blocked)
    return std::string(text_of(memory::desc(desc).get_blob()));
  std::string form = formatted("{} {};", static_cast<int>(desc.get_data_type()), desc.get_size());
  for (const auto& numbers :
       {desc.get_dims(), desc.get_padded_dims(), desc.get_strides(), desc.get_inner_blks(),
        desc.get_inner_idxs(), memory::dims{desc.get_submemory_offset()}}) {
    for (const auto number : numbers) form += formatted("{},", number);
    form += ';';
  }
  return form;
}

}  // namespace

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::data_type dnnl_type(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return memory::data_type::f32;
    case ElementType::kInt32:
      return memory::data_type::s32;
    case ElementType::kInt8:
      return memory::data_type::s8;
    case ElementType::kUint8:
      return memory::data_type::u8;
    default:
      throw dnnl::error(dnnl_unimplemented, "oneDNN has no such element type");
  }
}

memory::dims dnnl_dims(const Shape& shape) {
  if (shape.rank() == 0) return {1};
  return {shape.dims().begin(), shape.dims().end()};
}

memory::dims dense_strides(const memory::dims& dims) {
  memory::dims strides(dims.size());
  int64_t stride = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= dims[i];
  }
  return strides;
}

memory::desc describe(ElementType type, const Shape& shape, Layout layout) {
  const memory::dims dims = dnnl_dims(shape);
  if (layout == Layout::kBlocked8 || layout == Layout::kBlocked16) {
    return {dims, dnnl_type(type), blocked_tag(shape.rank(), layout)};
  }
  memory::dims strides = dense_strides(dims);
  if (layout == Layout::kChannelsLast) {
    strides[1] = 1;
    int64_t stride = dims[1];
    for (size_t i = dims.size(); i-- > 2;) {
      strides[i] = stride;
      stride *= dims[i];
    }
  }
  return {dims, dnnl_type(type), strides};
}

Shape widened(const Shape& shape, uint32_t rank) {
  std::vector<int64_t> dims(rank - shape.rank(), 1);
  dims.insert(dims.end(), shape.dims().begin(), shape.dims().end());
  return Shape(dims);
}

bool reference(const dnnl::primitive_desc_base& primitive) {
  return std::string_view(primitive.impl_info_str()).contains("ref");
}

dnnl::primitive_attr base_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

DnnlKernel::DnnlKernel(KernelNeeds needs, const dnnl::primitive_desc_base& description,
                       const dnnl::primitive& primitive, std::vector<DnnlArgument> arguments)
    : Kernel([&] {
        needs.scratch_bytes = description.scratchpad_desc().get_size();
        needs.implementation = description.impl_info_str();
        return std::move(needs);
      }()),
      primitive_(primitive),
      scratch_(description.scratchpad_desc()),
      arguments_(std::move(arguments)) {}

Result<std::unique_ptr<KernelState>> DnnlKernel::make_state() const {
  auto state = std::make_unique<DnnlState>();
  try {
    const auto add = [&](int id, const memory::desc& desc, const uint8_t* data) {
      auto* const handle = const_cast<uint8_t*>(data);  // oneDNN's interface knows no const
      state->memories.emplace_back(desc, cpu_engine(), handle);
      state->list.push_back({id, state->memories.back().get()});
      state->handles.push_back(handle);
    };
    for (const DnnlArgument& argument : arguments_) add(argument.id, argument.desc, argument.data);
    if (needs().scratch_bytes > 0) add(DNNL_ARG_SCRATCHPAD, scratch_, nullptr);
  } catch (const dnnl::error& error) {
    return dnnl_error("preparing a kernel", error.status);
  }
  return state;
}

Status DnnlKernel::run(const KernelArguments& arguments) const {
  auto& state = static_cast<DnnlState&>(*arguments.state);
  const auto point = [&](size_t slot, uint8_t* data) {
    if (state.handles[slot] == data) return dnnl_success;
    state.handles[slot] = data;
    return dnnl_memory_set_data_handle(state.memories[slot].get(), data);
  };
  for (size_t i = 0; i < arguments_.size(); ++i) {
    const DnnlArgument& argument = arguments_[i];
    if (argument.from == DnnlArgument::From::kPacked) continue;
    const auto from =
        argument.from == DnnlArgument::From::kInput ? arguments.inputs : arguments.outputs;
    if (const auto status = point(i, from[argument.index]); status != dnnl_success) {
      return dnnl_error("binding memory", status);
    }
  }
  if (needs().scratch_bytes > 0) {
    if (const auto status = point(arguments_.size(), arguments.scratch); status != dnnl_success) {
      return dnnl_error("binding scratch memory", status);
    }
  }
  const auto status = dnnl_primitive_execute(
      primitive_.get(), cpu_stream().get(), static_cast<int>(state.list.size()), state.list.data());
  if (status != dnnl_success) return dnnl_error("running a kernel", status);
  return {};
}

Result<Bytes> pack_reordered(Packer& packer, const Tensor& source, const memory::desc& from,
                             const memory::desc& to) {
  const std::string form = form_of(from) + form_of(to);
  const bool back = unpackable(from, to) && from.get_size() == source.byte_count();
  const bool room = to.get_padded_dims() != to.get_dims();
  const auto fill = [&](MutableBytes bytes) -> Status {
    if (back && room) {
      pack(source.bytes(), from, to, bytes);
      return {};
    }
    // One thread: weights are packed in a process that will be forked.
    const SingleThread single;
    memory read(from, cpu_engine(), const_cast<uint8_t*>(source.bytes().data()));
    memory write(to, cpu_engine(), bytes.data());
    dnnl::stream stream(cpu_engine());
    dnnl::reorder(read, write).execute(stream, read, write);
    stream.wait();
    return {};
  };
  const auto unpacked = [from, to](Bytes bytes) { return unpack(bytes, from, to); };
  return packer.pack(source, form, to.get_size(), fill,
                     back ? Packer::Unpack(unpacked) : Packer::Unpack());
}

}  // namespace casemate::engine
