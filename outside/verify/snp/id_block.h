// SPDX-License-Identifier: Apache-2.0
#pragma once
// ID block: what the owner of a guest signs about it before the launch (SEV-SNP firmware ABI, AMD
// 56860, SNP_LAUNCH_FINISH). The firmware starts the guest only if it fits, and puts hashes of the
// keys into its reports.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    hostile until both signatures were checked; whose the keys are, their hashes say.
//   Fails    kInvalid with the part and what is wrong with it.

#include <optional>

#include "outside/verify/snp/report.h"

namespace casemate::verify::snp {

struct IdBlock {
  ByteArray<48> measurement{};
  ByteArray<16> family_id{};
  ByteArray<16> image_id{};
  uint32_t version = 0;
  uint32_t guest_svn = 0;
  uint64_t policy = 0;
};
static_assert(sizeof(IdBlock) == 96);

struct SignedIdBlock {
  IdBlock block;
  Sha384Digest id_key{};
  std::optional<Sha384Digest> author_key;  // none: nobody signed the ID key
};

constexpr size_t kIdAuthenticationBytes = 4096;

// An ID block, binary or in base64. Nothing for bytes that are none.
std::optional<IdBlock> id_block_in(Bytes file);
// Whether the bytes begin like authentication information for one.
bool looks_like_id_authentication(Bytes file);

// Both signatures: the ID key's over the block, the author key's over the ID key.
Result<SignedIdBlock> check_id_block(const IdBlock& block, Bytes authentication);

// Succeeds when the firmware that made the report has started the guest by this block.
Status fits(const SignedIdBlock& signed_block, const Report& report);

}  // namespace casemate::verify::snp
