// SPDX-License-Identifier: Apache-2.0
#include "trusted/monitor/measured_system.h"

#include "base/format.h"
#include "trusted/attest/root_file.h"

namespace casemate::monitor {
namespace {

std::vector<jail::ImageStore::Link> links_of(const SystemDescription& d,
                                             const ProgramDescription& program,
                                             std::span<const jail::ImageStore::Image> images) {
  std::vector<jail::ImageStore::Link> links;
  for (uint32_t i = program.first_image; i < program.first_image + program.image_count; ++i) {
    links.push_back({images[i].number, std::string(d.images[i].target.view())});
  }
  return links;
}

}  // namespace

Result<MeasuredSystem> MeasuredSystem::make(const allow::Spawn&,
                                            std::unique_ptr<SystemDescription> description,
                                            jail::ImageStore store) {
  TRY(check_description(*description));
  MeasuredSystem system(std::move(description), std::move(store));
  TRY(system.measure_programs());
  TRY(system.lay_out_roots());
  for (uint32_t i = 0; i < system.description_->enclave_count; ++i) TRY(system.measure_enclave(i));
  // Peers are named by what they are, so they come after everything has been measured.
  for (uint32_t i = 0; i < system.description_->enclave_count; ++i) system.measure_peers(i);
  TRY(system.store_.freeze());
  return system;
}

Status MeasuredSystem::measure_programs() {
  const SystemDescription& d = *description_;
  for (uint32_t i = 0; i < d.image_count; ++i)
    images_.push_back(TRY(store_.add(std::string(d.images[i].source.view()))));
  for (uint32_t i = 0; i < d.file_count; ++i)
    files_.push_back(TRY(store_.add(std::string(d.files[i].source.view()))));
  for (uint32_t i = 0; i < d.program_count; ++i) {
    Sha384 hash;
    for (uint32_t k = d.programs[i].first_image;
         k < d.programs[i].first_image + d.programs[i].image_count; ++k) {
      hash.field(bytes_of(d.images[k].target.view())).field(images_[k].digest);
    }
    programs_.push_back(hash.finish());
  }
  return {};
}

Status MeasuredSystem::lay_out_roots() {
  const SystemDescription& d = *description_;
  for (uint32_t i = 0; i < d.partition_count; ++i) {
    const auto links = links_of(d, d.programs[d.partitions[i].program], images_);
    partition_roots_.push_back(TRY(store_.make_root(formatted("p{}", i), links)));
  }
  for (uint32_t i = 0; i < d.enclave_count; ++i) {
    const EnclaveDescription& enclave = d.enclaves[i];
    auto links = links_of(d, d.programs[enclave.program], images_);
    for (uint32_t k = enclave.first_file; k < enclave.first_file + enclave.file_count; ++k) {
      links.push_back({files_[k].number, formatted("/model/{}", d.files[k].target.view())});
    }
    enclave_roots_.push_back(
        TRY(store_.make_root(formatted("e{}", i), links, enclave.scratch_bytes != 0)));
  }
  return {};
}

Status MeasuredSystem::measure_enclave(size_t index) {
  const SystemDescription& d = *description_;
  const EnclaveDescription& enclave = d.enclaves[index];
  const PartitionDescription& partition = d.partitions[enclave.partition];
  attest::Measured m;
  m.enclave =
      EnclaveId::of({static_cast<uint8_t>(enclave.partition + 1)}, static_cast<uint32_t>(index));
  m.kind = static_cast<EnclaveKind>(enclave.kind);
  m.model_version = enclave.model_version;
  m.debug = (enclave.flags & EnclaveDescription::kDebug) != 0;
  m.program = programs_[enclave.program];
  m.manifest = manifest_of(index);
  if (enclave.file_count > 0) {
    Sha384 model;
    for (uint32_t k = enclave.first_file; k < enclave.first_file + enclave.file_count; ++k) {
      model.field(bytes_of(d.files[k].target.view())).field(files_[k].digest);
    }
    m.model = model.finish();
  }
  // A processor has no driver of its own: what drives it is the partition's runtime.
  DeviceDescription device = partition.device;
  device.evidence = 0;  // a place in a list; the token has its hash
  m.device = Sha384().field(bytes_of(device)).field(programs_[partition.program]).finish();
  if (const uint32_t file = partition.device.evidence; file != 0)
    m.device_evidence = TRY(attest::read_root_file(files_[file - 1].path, kDeviceEvidenceBytes));
  m.name = enclave.name.view();
  m.device_name = name_of(partition.device);
  measured_.push_back(std::move(m));
  return {};
}

Sha384Digest MeasuredSystem::manifest_of(size_t index) const {
  const SystemDescription& d = *description_;
  EnclaveDescription enclave = d.enclaves[index];
  // Positions in lists say nothing about the enclave; what they refer to is measured on its own.
  enclave.partition = enclave.program = enclave.first_file = 0;
  return Sha384().field(bytes_of(enclave)).finish();
}

void MeasuredSystem::measure_peers(size_t index) {
  const SystemDescription& d = *description_;
  PeersMeasurement peers;
  for (uint32_t i = 0; i < d.stream_count; ++i) {
    if (d.streams[i].caller != index) continue;
    const attest::Measured& peer = measured_[d.streams[i].callee];
    peers.add(peer.name, peer.program, peer.manifest, peer.model, peer.device);
    ++measured_[index].peer_count;
  }
  measured_[index].peers = peers.finish();
}

std::string MeasuredSystem::program_path(uint32_t program) const {
  return std::string(
      description_->images[description_->programs[program].first_image].target.view());
}

}  // namespace casemate::monitor
