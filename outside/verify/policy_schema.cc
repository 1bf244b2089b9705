// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/policy_schema.h"

namespace casemate::verify {
namespace {

constexpr std::string_view kSchema = R"json({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:casemate:policy",
  "title": "Casemate policy",
  "description": "What a client asks of a server before it sends anything.",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "allow_software_root": {
      "description": "Accept a development root, which proves nothing against whoever runs it.",
      "type": "boolean",
      "default": false
    },
    "software_roots": {
      "description": "SHA-384 of accepted root keys (SPKI DER); empty: any.",
      "$ref": "#/$defs/accepted"
    },
    "platform": {
      "description": "What the machine booted; empty: anything.",
      "$ref": "#/$defs/accepted"
    },
    "security_version_min": {
      "description": "The least security version of the platform.",
      "type": "integer",
      "minimum": 0,
      "maximum": 4294967295,
      "default": 0
    },
    "gateway": {
      "description": "What serves the channel.",
      "$ref": "#/$defs/gateway"
    },
    "models": {
      "description": "By name; not empty: no other model is accepted.",
      "type": "object",
      "additionalProperties": { "$ref": "#/$defs/model" }
    },
    "intel": {
      "description": "Rules for quotes of SGX and TDX: docs/evidence.md.",
      "type": "object"
    },
    "snp": {
      "description": "Rules for reports of SEV-SNP: docs/evidence.md.",
      "type": "object"
    },
    "cca": {
      "description": "Rules for tokens of Arm CCA: docs/evidence.md.",
      "type": "object"
    },
    "nvidia": {
      "description": "Rules for what NVIDIA's devices measured: docs/evidence.md.",
      "type": "object"
    },
    "eat": {
      "description": "Rules for attestation tokens and results of others: docs/evidence.md.",
      "type": "object"
    },
    "tpm": {
      "description": "Rules for quotes of a TPM: docs/evidence.md.",
      "type": "object"
    },
    "drivers": {
      "description": "Whose word on accelerators counts: docs/evidence.md.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "keys": {
          "description": "SHA-384 of keys (SPKI DER) of drivers' authors; empty: none counts.",
          "type": "array",
          "items": { "type": "string", "pattern": "^[0-9a-fA-F]{96}$" },
          "default": []
        },
        "required": {
          "description": "Refuse an accelerator that shows no evidence.",
          "type": "boolean",
          "default": false
        }
      }
    },
    "max_age_seconds": {
      "description": "Of the quote and of every token.",
      "type": "integer",
      "minimum": 1,
      "maximum": 3162240000,
      "default": 604800
    },
    "insecure_allow_debug": {
      "description": "Accept debug platforms and enclaves, whose memory can be read from outside.",
      "type": "boolean",
      "default": false
    },
    "insecure_allow_any_start": {
      "description": "Accept hardware whose rules do not name what may have been started on it.",
      "type": "boolean",
      "default": false
    },
    "insecure_allow_classical_key_exchange": {
      "description": "Accept a channel whose keys are not agreed on with X25519MLKEM768.",
      "type": "boolean",
      "default": false
    }
  },
  "$defs": {
    "accepted": {
      "description": "SHA-384 values; empty: any.",
      "type": "array",
      "items": { "type": "string", "pattern": "^[0-9a-fA-F]{96}$" },
      "default": []
    },
    "gateway": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "program": { "$ref": "#/$defs/accepted" },
        "manifest": { "$ref": "#/$defs/accepted" },
        "device": { "$ref": "#/$defs/accepted" },
        "peers": { "$ref": "#/$defs/accepted" }
      }
    },
    "model": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "model": { "$ref": "#/$defs/accepted" },
        "program": { "$ref": "#/$defs/accepted" },
        "manifest": { "$ref": "#/$defs/accepted" },
        "device": { "$ref": "#/$defs/accepted" },
        "peers": { "$ref": "#/$defs/accepted" }
      }
    }
  }
}
)json";

}  // namespace

std::string_view policy_schema() { return kSchema; }

}  // namespace casemate::verify
