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
    "gateway": { "description": "What serves the channel.", "$ref": "#/$defs/gateway" },
    "models": {
      "description": "By name; not empty: no other model is accepted.",
      "type": "object",
      "additionalProperties": { "$ref": "#/$defs/model" }
    },
    "intel": { "$ref": "#/$defs/intel" },
    "snp": { "$ref": "#/$defs/snp" },
    "cca": { "$ref": "#/$defs/cca" },
    "nvidia": { "$ref": "#/$defs/nvidia" },
    "eat": { "$ref": "#/$defs/eat" },
    "tpm": { "$ref": "#/$defs/tpm" },
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
    },
    "values_16": {
      "description": "Accepted values of 16 bytes; empty: any.",
      "type": "array",
      "items": { "type": "string", "pattern": "^[0-9a-fA-F]{32}$" },
      "default": []
    },
    "values_32": {
      "description": "Accepted values of 32 bytes; empty: any.",
      "type": "array",
      "items": { "type": "string", "pattern": "^[0-9a-fA-F]{64}$" },
      "default": []
    },
    "values_33": {
      "description": "Accepted values of 33 bytes; empty: any.",
      "type": "array",
      "items": { "type": "string", "pattern": "^[0-9a-fA-F]{66}$" },
      "default": []
    },
    "values_48": {
      "description": "Accepted values of 48 bytes; empty: any.",
      "type": "array",
      "items": { "type": "string", "pattern": "^[0-9a-fA-F]{96}$" },
      "default": []
    },
    "values_64": {
      "description": "Accepted values of 64 bytes; empty: any.",
      "type": "array",
      "items": { "type": "string", "pattern": "^[0-9a-fA-F]{128}$" },
      "default": []
    },
    "values": {
      "description": "Accepted values of up to 1,024 bytes; empty: any.",
      "type": "array",
      "items": { "type": "string", "maxLength": 2048, "pattern": "^([0-9a-fA-F]{2})*$" },
      "default": []
    },
    "named_48": {
      "type": "array",
      "items": { "type": "string", "pattern": "^[0-9a-fA-F]{96}$" },
      "minItems": 1
    },
    "named_32": {
      "type": "array",
      "items": { "type": "string", "pattern": "^[0-9a-fA-F]{64}$" },
      "minItems": 1
    },
    "named_16": {
      "type": "array",
      "items": { "type": "string", "pattern": "^[0-9a-fA-F]{32}$" },
      "minItems": 1
    },
    "named_8": {
      "type": "array",
      "items": { "type": "string", "pattern": "^[0-9a-fA-F]{16}$" },
      "minItems": 1
    },
    "flag": { "type": "boolean", "default": false },
    "texts": { "type": "array", "items": { "type": "string" }, "default": [] },
    "jwk": {
      "description": "A public key of an elliptic curve (RFC 7517); other members mean nothing.",
      "type": "object",
      "required": ["kty", "crv", "x", "y"],
      "properties": {
        "kty": { "enum": ["EC"] },
        "crv": { "enum": ["P-256", "P-384", "P-521"] },
        "x": { "$ref": "#/$defs/coordinate" },
        "y": { "$ref": "#/$defs/coordinate" }
      }
    },
    "coordinate": {
      "description": "Base64url of 32, 48 or 66 bytes.",
      "type": "string",
      "pattern": "^([0-9A-Za-z_-]{43}|[0-9A-Za-z_-]{64}|[0-9A-Za-z_-]{88})$"
    },
    "intel": {
      "description": "Rules for quotes of SGX and TDX.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "insecure_allow_debug": { "$ref": "#/$defs/flag" },
        "tcb_statuses": {
          "description": "Intel's words that are accepted.",
          "type": "array",
          "items": {
            "enum": [
              "UpToDate",
              "SWHardeningNeeded",
              "ConfigurationNeeded",
              "ConfigurationAndSWHardeningNeeded",
              "OutOfDate",
              "OutOfDateConfigurationNeeded"
            ]
          },
          "default": ["UpToDate"]
        },
        "advisories": {
          "description": "Left out: any that come with an accepted status.",
          "type": "array",
          "items": { "type": "string" }
        },
        "tcb_evaluation_number_min": {
          "type": "integer",
          "minimum": 0,
          "maximum": 4294967295,
          "default": 0
        },
        "grace_seconds": {
          "description": "How long statements and lists serve beyond their end.",
          "type": "integer",
          "minimum": 0,
          "maximum": 3162240000,
          "default": 0
        },
        "trailing_bytes": {
          "description": "What may stand behind the signature.",
          "enum": ["none", "zeros", "any"],
          "default": "zeros"
        },
        "event_log_required": { "$ref": "#/$defs/flag" },
        "isv_product_id": {
          "description": "Of an enclave; left out: any.",
          "type": "integer",
          "minimum": 0,
          "maximum": 65535
        },
        "isv_security_version_min": {
          "type": "integer",
          "minimum": 0,
          "maximum": 65535,
          "default": 0
        },
        "measurements": {
          "description": "Accepted values by name; not named: any.",
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "mrtd": { "$ref": "#/$defs/named_48" },
            "rtmr0": { "$ref": "#/$defs/named_48" },
            "rtmr1": { "$ref": "#/$defs/named_48" },
            "rtmr2": { "$ref": "#/$defs/named_48" },
            "rtmr3": { "$ref": "#/$defs/named_48" },
            "mrconfigid": { "$ref": "#/$defs/named_48" },
            "mrowner": { "$ref": "#/$defs/named_48" },
            "mrownerconfig": { "$ref": "#/$defs/named_48" },
            "mrservicetd": { "$ref": "#/$defs/named_48" },
            "mrseam": { "$ref": "#/$defs/named_48" },
            "mrsignerseam": { "$ref": "#/$defs/named_48" },
            "td_attributes": { "$ref": "#/$defs/named_8" },
            "xfam": { "$ref": "#/$defs/named_8" },
            "mrenclave": { "$ref": "#/$defs/named_32" },
            "mrsigner": { "$ref": "#/$defs/named_32" },
            "attributes": { "$ref": "#/$defs/named_16" }
          },
          "default": {}
        },
        "development_roots": {
          "description": "SHA-384 of root keys that stand in for Intel's.",
          "$ref": "#/$defs/named_48"
        }
      }
    },
    "tcb": {
      "description": "Least versions of firmware, by product.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "Milan": { "$ref": "#/$defs/tcb_milan" },
        "Genoa": { "$ref": "#/$defs/tcb_milan" },
        "Turin": { "$ref": "#/$defs/tcb_turin" }
      },
      "default": {}
    },
    "tcb_milan": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "boot_loader": { "type": "integer", "minimum": 0, "maximum": 255, "default": 0 },
        "tee": { "type": "integer", "minimum": 0, "maximum": 255, "default": 0 },
        "snp": { "type": "integer", "minimum": 0, "maximum": 255, "default": 0 },
        "microcode": { "type": "integer", "minimum": 0, "maximum": 255, "default": 0 }
      }
    },
    "tcb_turin": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "fmc": { "type": "integer", "minimum": 0, "maximum": 255, "default": 0 },
        "boot_loader": { "type": "integer", "minimum": 0, "maximum": 255, "default": 0 },
        "tee": { "type": "integer", "minimum": 0, "maximum": 255, "default": 0 },
        "snp": { "type": "integer", "minimum": 0, "maximum": 255, "default": 0 },
        "microcode": { "type": "integer", "minimum": 0, "maximum": 255, "default": 0 }
      }
    },
    "sha256": {
      "description": "SHA-256 of a file; empty: of nothing.",
      "type": "string",
      "pattern": "^([0-9a-fA-F]{64})?$"
    },
    "snp": {
      "description": "Rules for reports of SEV-SNP.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "roots": {
          "description": "Root keys by product; left out: AMD's.",
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "Milan": { "$ref": "#/$defs/accepted" },
            "Genoa": { "$ref": "#/$defs/accepted" },
            "Turin": { "$ref": "#/$defs/accepted" }
          }
        },
        "tcb_min": { "$ref": "#/$defs/tcb" },
        "launch_tcb_min": { "$ref": "#/$defs/tcb" },
        "firmware_min": {
          "description": "Such as 1.49.3.",
          "type": "string",
          "pattern": "^(0*(25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(\\.(?!$)|$)){3}$",
          "default": "0.0.0"
        },
        "guest_svn_min": {
          "type": "integer",
          "minimum": 0,
          "maximum": 4294967295,
          "default": 0
        },
        "vmpl_max": { "type": "integer", "minimum": 0, "maximum": 3, "default": 3 },
        "mitigations": {
          "description": "Bits that are set.",
          "type": "integer",
          "minimum": 0,
          "maximum": 9223372036854775807,
          "default": 0
        },
        "measurement": { "$ref": "#/$defs/values_48" },
        "host_data": { "$ref": "#/$defs/values_32" },
        "id_key": { "$ref": "#/$defs/values_48" },
        "author_key": { "$ref": "#/$defs/values_48" },
        "family_id": { "$ref": "#/$defs/values_16" },
        "image_id": { "$ref": "#/$defs/values_16" },
        "chip_id": { "$ref": "#/$defs/values_64" },
        "launch": {
          "description": "What may have been started, of firmware among the collateral.",
          "type": "array",
          "items": { "$ref": "#/$defs/launch" },
          "default": []
        },
        "providers": {
          "description": "Who may run the cloud of a VLEK; empty: anybody.",
          "$ref": "#/$defs/texts"
        },
        "allow_vlek": { "type": "boolean", "default": true },
        "allow_smt": { "type": "boolean", "default": true },
        "allow_migration_agent": { "type": "boolean", "default": false },
        "allow_cxl": { "type": "boolean", "default": true },
        "allow_masked_chip_id": { "type": "boolean", "default": false },
        "allow_provisional_firmware": { "type": "boolean", "default": true },
        "require_single_socket": { "type": "boolean", "default": false },
        "require_aes_256_xts": { "type": "boolean", "default": false },
        "require_rapl_off": { "type": "boolean", "default": false },
        "require_ciphertext_hiding": { "type": "boolean", "default": false },
        "require_page_swap_off": { "type": "boolean", "default": false },
        "require_alias_check": { "type": "boolean", "default": false },
        "require_crl": { "type": "boolean", "default": false },
        "insecure_allow_debug": { "type": "boolean", "default": false }
      }
    },
    "launch": {
      "type": "object",
      "additionalProperties": false,
      "required": ["firmware"],
      "dependentRequired": { "initrd": ["kernel"], "command_line": ["kernel"] },
      "properties": {
        "firmware": { "description": "A file's name.", "type": "string", "minLength": 1 },
        "processors": { "type": "integer", "minimum": 1, "maximum": 1024, "default": 1 },
        "guest_features": {
          "type": "integer",
          "minimum": 0,
          "maximum": 9223372036854775807,
          "default": 1
        },
        "processor_signature": {
          "type": "integer",
          "minimum": 0,
          "maximum": 4294967295,
          "default": 8392466
        },
        "kernel": { "$ref": "#/$defs/sha256" },
        "initrd": { "$ref": "#/$defs/sha256" },
        "command_line": { "type": "string" }
      }
    },
    "anchor": {
      "description": "SHA-384 of a key; or a key, perhaps with the platform whose it is.",
      "anyOf": [
        { "type": "string", "pattern": "^[0-9a-fA-F]{96}$" },
        { "$ref": "#/$defs/jwk" },
        {
          "type": "object",
          "required": ["pkey"],
          "properties": {
            "pkey": { "$ref": "#/$defs/jwk" },
            "instance-id": {},
            "implementation-id": {}
          }
        }
      ]
    },
    "hex": { "type": "string", "pattern": "^([0-9a-fA-F]{2})*$" },
    "component": {
      "type": "object",
      "additionalProperties": false,
      "required": ["measurement-value", "signer-id"],
      "properties": {
        "component-type": { "type": "string" },
        "version": { "type": "string" },
        "measurement-value": { "$ref": "#/$defs/hex" },
        "signer-id": { "$ref": "#/$defs/hex" }
      }
    },
    "reference_platform": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "implementation-id": { "$ref": "#/$defs/hex" },
        "platform-configuration": { "$ref": "#/$defs/hex" },
        "sw-components": { "type": "array", "items": { "$ref": "#/$defs/component" } }
      }
    },
    "reference_realm": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "personalization-value": { "$ref": "#/$defs/hex" },
        "initial-measurement": { "$ref": "#/$defs/hex" },
        "extensible-measurements": {
          "type": "array",
          "items": { "type": "string", "maxLength": 2048, "pattern": "^([0-9a-fA-F]{2})*$" },
          "anyOf": [{ "maxItems": 0 }, { "minItems": 4, "maxItems": 4 }]
        },
        "rak-hash-algorithm": { "type": "string" }
      }
    },
    "cca": {
      "description": "Rules for tokens of Arm CCA.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "anchors": {
          "description": "Keys of platforms; empty: no token is accepted.",
          "type": "array",
          "items": { "$ref": "#/$defs/anchor" },
          "default": []
        },
        "reference_values": {
          "description": "As Veraison's tools write them.",
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "platform": { "type": "array", "items": { "$ref": "#/$defs/reference_platform" } },
            "realm": { "type": "array", "items": { "$ref": "#/$defs/reference_realm" } }
          },
          "default": { "platform": [], "realm": [] }
        },
        "instance_id": { "$ref": "#/$defs/values_33" },
        "implementation_id": { "$ref": "#/$defs/values_32" },
        "configuration": { "$ref": "#/$defs/values" },
        "personalization": { "$ref": "#/$defs/values_64" },
        "initial_measurement": { "$ref": "#/$defs/values" },
        "rem0": { "$ref": "#/$defs/values" },
        "rem1": { "$ref": "#/$defs/values" },
        "rem2": { "$ref": "#/$defs/values" },
        "rem3": { "$ref": "#/$defs/values" },
        "insecure_allow_debug": { "$ref": "#/$defs/flag" }
      }
    },
    "nvidia": {
      "description": "Rules for what NVIDIA's devices measured.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "roots": {
          "description": "SHA-384 of root keys; empty: nothing is accepted.",
          "$ref": "#/$defs/values_48"
        },
        "device": { "enum": ["gpu", "switch", "any"], "default": "gpu" },
        "chain_length": { "type": "integer", "minimum": 2, "maximum": 8, "default": 5 },
        "nonce": { "$ref": "#/$defs/values_32" },
        "blocks": {
          "description": "Golden values by index, 0 to 255.",
          "type": "object",
          "additionalProperties": false,
          "patternProperties": {
            "^(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])$": {
              "type": "array",
              "minItems": 1,
              "items": {
                "type": "string",
                "maxLength": 2048,
                "pattern": "^([0-9a-fA-F]{2})*$"
              }
            }
          },
          "default": {}
        },
        "drivers": { "$ref": "#/$defs/texts" },
        "vbioses": { "$ref": "#/$defs/texts" },
        "require_crl": { "$ref": "#/$defs/flag" }
      }
    },
    "eat": {
      "description": "Rules for attestation tokens and results of others.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "keys": {
          "description": "Who may sign; empty: no token is accepted.",
          "type": "array",
          "items": { "$ref": "#/$defs/jwk" },
          "default": []
        },
        "profiles": { "$ref": "#/$defs/texts" },
        "nonce": { "$ref": "#/$defs/values" },
        "ueid": { "$ref": "#/$defs/values" },
        "max_age_seconds": {
          "type": "integer",
          "minimum": 1,
          "maximum": 3162240000,
          "default": 86400
        },
        "allow_warning": { "$ref": "#/$defs/flag" },
        "insecure_allow_debug": { "$ref": "#/$defs/flag" }
      }
    },
    "tpm": {
      "description": "Rules for quotes of a TPM.",
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "keys": {
          "description": "SHA-384 of TPMT_PUBLIC of attestation keys.",
          "$ref": "#/$defs/values_48"
        },
        "authorities": {
          "description": "SHA-384 of keys (SPKI DER) of who certifies such keys.",
          "$ref": "#/$defs/values_48"
        },
        "pcrs": {
          "description": "Accepted values by number, 0 to 23. A start needs 4, the boot loader.",
          "type": "object",
          "additionalProperties": false,
          "patternProperties": { "^(2[0-3]|1?[0-9])$": { "$ref": "#/$defs/values_32" } },
          "default": {}
        }
      }
    }
  }
}
)json";

}  // namespace

std::string_view policy_schema() { return kSchema; }

}  // namespace casemate::verify
