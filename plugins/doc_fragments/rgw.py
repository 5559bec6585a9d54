# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of every module that speaks to Ceph's RADOS Gateway."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  endpoint_url:
    description:
      - Address of the RADOS Gateway, such as C(https://rgw.example.com:443).
      - Without this option the environment variable E(RGW_ENDPOINT_URL) is used.
    type: str
    required: true
  access_key:
    description:
      - Access key of the RGW user that makes the requests.
      - Without this option the environment variable E(RGW_ACCESS_KEY) is used.
    type: str
    required: true
  secret_key:
    description:
      - Secret key that belongs to O(access_key).
      - Without this option the environment variable E(RGW_SECRET_KEY) is used.
    type: str
    required: true
  ca_bundle:
    description:
      - File on the managed host with the certificates of the authorities that are trusted to sign RGW's certificate.
      - Without this option the environment variable E(RGW_CA_BUNDLE) is used, without that the authorities known to the
        Python library C(certifi).
    type: path
    aliases: [aws_ca_bundle]
requirements:
  - botocore >= 1.31
  - requests >= 2.28
notes:
  - Run this module where RGW can be reached and the libraries are, usually with C(delegate_to) or a play on
    C(localhost).
"""
