// SPDX-License-Identifier: Apache-2.0
#pragma once
// What to fetch: from evidence, in any format that `casemate verify` reads, to the list of what its
// verifier needs from the vendor's service: where it lies there, what it is called here, and what
// it has to be about.
//
//   Intel quote      TCB info, QE identity, list of revoked platform keys, list of the root
//   SEV-SNP report   VCEK, its authorities, list of revoked authorities
//   others           nothing: the error says what the folder needs, and from whom
//
//   Owns     values.
//   Threads  pure functions; no network and no files.
//   Trust    the evidence may be hostile, and nothing of it is checked: whoever wrote it chooses
//            which entries of the vendor's public service are asked for, and no more than that.
//   Fails    kUnsupported for evidence for which no service is known, kInvalid for what is no
//            evidence or names too little to ask.

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "outside/verify/snp/report.h"
#include "outside/verify/x509/certificates.h"

namespace casemate::fetch {

enum class Service : uint8_t {
  kIntel,      // the provisioning certification service, or a cache of it (PCCS)
  kIntelRoot,  // where Intel's root publishes its list; a cache has it among the rest
  kAmd         // the key distribution service
};

enum class Kind : uint8_t { kTcbInfo, kQeIdentity, kCrl, kVcek, kAuthorities };

struct Wanted {
  Kind kind = Kind::kCrl;
  Service service = Service::kIntel;
  std::string path;  // below the service's address, query included
  std::string file;  // its name in the folder; says what is in it
  std::string what;  // for people: "TCB info of TDX platforms with FMSPC B0C06F000000"
  // The header in which the certificates of who signed it come, and their file; "": none.
  std::string chain_header{};
  std::string chain_file{};

  // What it has to be about.
  bool tdx = false;
  ByteArray<6> fmspc{};
  std::vector<std::string> names{};  // of the list's issuer; of the authorities
  verify::snp::Product product = verify::snp::Product::kMilan;
  ByteArray<64> chip_id{};
  verify::snp::Tcb tcb{};
};

struct Plan {
  std::string evidence;  // for people: "a TDX quote of a platform with FMSPC B0C06F000000"
  std::vector<Wanted> wanted;
  // The report was signed by the key of a cloud, whose certificate no service gives out: it has to
  // be among the evidence or in the folder.
  bool needs_vlek = false;
};

// `file` as it was read. `product` is the user's word for the processor of an SEV-SNP report that
// does not name it: "Milan", "Genoa" or "Turin"; "" says nothing.
Result<Plan> what_to_fetch(Bytes file, std::string_view product = "");

// Whether `certificate` is of the kind that a VLEK has.
bool certifies_vlek(const verify::X509Certificate& certificate);

// Whether the name `subject`, as X509Certificate has it, has this common name.
bool named(std::string_view subject, std::string_view common_name);

}  // namespace casemate::fetch
