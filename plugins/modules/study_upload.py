#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Uploads X-rays and waits until the facility has assessed each of them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: study_upload
short_description: Upload X-rays and wait until each is assessed
version_added: 0.1.0
description:
  - Uploads every image of a folder, or the files of a list, to the bucket where the facility expects X-rays, and
    waits until the risk assessment has recorded each of them or has given it up.
  - Files are images by their content (JPEG, PNG, DICOM) or by the ending of their name. Names may hold anything that
    UTF-8 can. Subfolders become part of the object's key.
  - The module follows what it uploaded by key and eTag, so that records of other uploads do not count.
  - What is no chest X-ray is recorded as V(rejected), with the reason.
author:
  - XRay Lab contributors (@xraylab)
extends_documentation_fragment:
  - xraylab.medical_diagnosis.rgw
attributes:
  check_mode:
    support: full
    description: Finds the files and uploads none; every study has the outcome V(planned).
  diff_mode:
    support: none
    description: An upload has no former state.
options:
  folder:
    description: Folder with images. Exactly one of O(folder) and O(files) is needed.
    type: path
  files:
    description: Files to upload under their names, images or not.
    type: list
    elements: path
  prefix:
    description: Text that every object key starts with, such as V(ward 3/).
    type: str
    default: ""
  source_bucket:
    description: Bucket that takes the X-rays. O(access_key) needs the right to write to it.
    type: str
    default: xray-source
  results_bucket:
    description: Bucket in which the risk assessment records its results.
    type: str
    default: xray-source-processed
  pseudonym_key:
    description:
      - The facility's key for pseudonyms, as in the Secret C(<function>-pseudonyms), under which results are stored.
      - Without it results are looked for under the original demo's names.
    type: str
    version_added: 0.2.0
  reader_access_key:
    description:
      - Access key of a user that may list the O(source_bucket) and read the O(results_bucket).
      - O(access_key) without it.
    type: str
  reader_secret_key:
    description: Secret key that belongs to O(reader_access_key).
    type: str
  dead_letters:
    description: Kafka topic with the studies that were given up. Without it such a study has the outcome V(timeout).
    type: dict
    suboptions:
      bootstrap_servers:
        description: Addresses of the Kafka listener.
        type: list
        elements: str
        required: true
      topic:
        description: Topic with the dead letters.
        type: str
        default: xray-images-dead-letters
      user: {description: Kafka user. Without it nobody logs in., type: str}
      password: {description: Password of the Kafka user., type: str}
      ca_bundle: {description: File with the Kafka cluster's CA certificate., type: path}
      mechanism:
        description: How to log in.
        type: str
        choices: [PLAIN, SCRAM-SHA-256, SCRAM-SHA-512]
        default: SCRAM-SHA-512
      use_ssl:
        description: Whether the listener speaks TLS.
        type: bool
        default: true
  concurrency:
    description: Uploads and downloads at the same time.
    type: int
    default: 8
  rate:
    description: Uploads a second at most, V(0) for as fast as they go.
    type: float
    default: 0
  timeout:
    description: Seconds to wait after the last upload.
    type: int
    default: 600
  interval:
    description: Seconds between two looks at the results.
    type: float
    default: 1
  wait:
    description: Whether to wait at all. Without waiting every study has the outcome V(uploaded).
    type: bool
    default: true
  progress_file:
    description:
      - File that says, as long as the module waits, how many studies are done and of how many, as in V(12 200).
      - Run on the control node itself, the task sets it and shows a progress bar.
    type: path
    version_added: 0.2.0
requirements:
  - confluent-kafka >= 2.3, only with O(dead_letters)
"""

EXAMPLES = r"""
- name: Have a folder of X-rays assessed
  xraylab.medical_diagnosis.study_upload:
    endpoint_url: https://rgw.example.com
    access_key: "{{ modality.access_key }}"
    secret_key: "{{ modality.secret_key }}"
    reader_access_key: "{{ results_reader.access_key }}"
    reader_secret_key: "{{ results_reader.secret_key }}"
    folder: /data/x-rays
    dead_letters:
      bootstrap_servers: [kafka.example.com:9094]
      user: dead-letters-reader
      password: "{{ kafka_reader_password }}"
      ca_bundle: /etc/xraylab/kafka-ca.crt
  register: demo
"""

RETURN = r"""
studies:
  description: What became of each study, in the order of their keys.
  returned: always, once the files were found
  type: list
  elements: dict
  contains:
    key:
      description: Object key in the source bucket.
      type: str
    label:
      description: Finding, for example V(Pneumonia), V(Normal) or V(Unsure). Null without an assessment.
      type: str
    risk:
      description: Risk of pneumonia, 0 to 1. Null without an assessment.
      type: float
    seconds:
      description: Seconds from the upload to the record (or the dead letter), by the object store's clock. Null when
        unknown.
      type: float
    outcome:
      description: V(assessed), V(rejected), V(dead-lettered), V(timeout), V(not-uploaded), V(uploaded) or V(planned).
      type: str
    reason:
      description: Why a study was not assessed, and whether its record was there before the upload.
      type: str
    record:
      description: Key of the object in O(results_bucket) that holds the study's record. Null without one.
      type: str
      version_added: 0.2.0
  sample:
    - key: "ward 3/a.jpeg"
      label: Pneumonia
      risk: 0.93
      seconds: 1.4
      outcome: assessed
      reason: ""
      record: mzxw6ytboi4dqnrt-processed.jpeg.json
summary:
  description: Number of studies by outcome.
  returned: always, once the files were found
  type: dict
  sample: {assessed: 198, dead-lettered: 2}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _kafka as kafka
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _studies as studies
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _uploading as uploading
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._rgw import (
    RGW_ARGUMENTS,
    Gateway,
    RgwError,
    endpoint_of,
)

ARGUMENTS = {
    **RGW_ARGUMENTS,
    "folder": {"type": "path"},
    "files": {"type": "list", "elements": "path"},
    "prefix": {"type": "str", "default": ""},
    "source_bucket": {"type": "str", "default": "xray-source"},
    "results_bucket": {"type": "str", "default": "xray-source-processed"},
    "pseudonym_key": {"type": "str", "no_log": True},
    "reader_access_key": {"type": "str", "no_log": False},
    "reader_secret_key": {"type": "str", "no_log": True},
    "dead_letters": {"type": "dict", "options": kafka.KAFKA_ARGUMENTS},
    "concurrency": {"type": "int", "default": 8},
    "rate": {"type": "float", "default": 0},
    "timeout": {"type": "int", "default": 600},
    "interval": {"type": "float", "default": 1},
    "wait": {"type": "bool", "default": True},
    "progress_file": {"type": "path"},
}


def result(rows: list[dict], **more: object) -> dict:
    return {"studies": rows, "summary": studies.summary(rows), **more}


def upload_and_follow(module: AnsibleModule, uploads: list[studies.Upload], letters: kafka.Topic | None) -> dict:
    options, prefix = module.params, module.params["prefix"]
    threads = max(1, options["concurrency"])
    store = Gateway(endpoint_of(module), connections=threads)
    reader_keys = {"access_key": options["reader_access_key"], "secret_key": options["reader_secret_key"]}
    reader = Gateway(endpoint_of(module, **reader_keys), connections=threads)
    results = uploading.Results(reader, options["results_bucket"], options["pseudonym_key"], threads)
    sent = uploading.upload(store, options["source_bucket"], uploads, threads, options["rate"])
    if sent.failed:
        rows = [
            studies.row(one.key, "not-uploaded" if one.key in sent.failed else "uploaded", sent.failed.get(one.key, ""))
            for one in uploads
        ]
        first = next(iter(sent.failed.values()))
        module.fail_json(
            msg=f"{len(sent.failed)} of {len(uploads)} uploads failed. {first}", **result(rows, changed=bool(sent.done))
        )
    if not options["wait"]:
        return result([studies.row(one.key, "uploaded") for one in uploads], changed=True)
    outcome = uploading.follow(
        sent,
        results,
        letters,
        options["timeout"],
        max(options["interval"], 0.1),
        progress_file=options["progress_file"],
    )
    uploaded = reader.list_objects(options["source_bucket"], prefix)
    rows = uploading.report(uploads, sent, outcome, uploaded)
    return result(rows, changed=True)


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_one_of=[("folder", "files")],
        mutually_exclusive=[("folder", "files")],
        required_together=[("reader_access_key", "reader_secret_key")],
    )
    letters = None
    try:
        uploads = uploading.find_uploads(module.params["folder"], module.params["files"] or [], module.params["prefix"])
        if module.check_mode:
            module.exit_json(**result([studies.row(one.key, "planned") for one in uploads], changed=True))
        if module.params["dead_letters"] and module.params["wait"]:
            letters = kafka.open_topic(module.params["dead_letters"], newest_only=True)
        found = upload_and_follow(module, uploads, letters)
    except (RgwError, studies.StudyError, kafka.KafkaError) as error:
        module.fail_json(msg=str(error))
    finally:
        if letters:
            letters.close()
    module.exit_json(**found)


if __name__ == "__main__":
    main()
