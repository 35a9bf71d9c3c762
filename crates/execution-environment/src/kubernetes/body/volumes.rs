//! Every place that is not the image: the keeper's and the scratch volumes, all in memory.

use std::path::Path;

use k8s_openapi::api::core::v1::{EmptyDirVolumeSource, HostPathVolumeSource, Volume, VolumeMount};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::KubernetesHardening;
use crate::{ExamDefinition, Protection, ScratchVolume, scratch_volumes};

const KEEPER: &str = "keeper";
/// Ten times the keeper's size.
const KEEPER_BYTES: u64 = 16 * 1024 * 1024;
/// What only tests of the proof mount: something of the node, and a device.
const FOREIGN: (&str, &str, &str) = ("foreign", "/etc/hostname", "/etc/carrel-foreign");
const DEVICE: (&str, &str, &str) = ("device", "/dev/zero", "/dev/carrel-extra");

/// The folder that the keeper is installed into.
pub(in super::super) fn keeper_folder() -> &'static str {
    Path::new(carrel_keeper::BINARY_PATH)
        .parent()
        .and_then(Path::to_str)
        .unwrap_or("/carrel")
}

pub(super) fn volumes(exam: &ExamDefinition, hardening: &KubernetesHardening) -> Vec<Volume> {
    let mut volumes = vec![in_memory(KEEPER.to_owned(), Some(KEEPER_BYTES))];
    let bounded = hardening.has(Protection::BoundedScratch);
    volumes.extend(
        scratch(exam).map(|(name, volume)| in_memory(name, bounded.then_some(volume.size_bytes))),
    );
    volumes.extend(of_the_node(hardening).map(|(name, path, _)| Volume {
        name: name.to_owned(),
        host_path: Some(HostPathVolumeSource {
            path: path.to_owned(),
            type_: None,
        }),
        ..Volume::default()
    }));
    volumes
}

/// What the candidate's container sees of them.
pub(super) fn mounts(exam: &ExamDefinition, hardening: &KubernetesHardening) -> Vec<VolumeMount> {
    let read_only = hardening.has(Protection::KeeperReadOnly);
    let mut mounts = vec![mount(KEEPER, keeper_folder(), read_only)];
    mounts.extend(scratch(exam).map(|(name, volume)| mount(&name, &volume.path, false)));
    mounts.extend(of_the_node(hardening).map(|(name, _, path)| mount(name, path, true)));
    mounts
}

/// What the installing container sees of them.
pub(super) fn installer_mounts() -> Vec<VolumeMount> {
    vec![mount(KEEPER, keeper_folder(), false)]
}

fn scratch(exam: &ExamDefinition) -> impl Iterator<Item = (String, ScratchVolume)> {
    let volumes = scratch_volumes(exam).into_iter().enumerate();
    volumes.map(|(place, volume)| (format!("scratch-{place}"), volume))
}

fn of_the_node(
    hardening: &KubernetesHardening,
) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    [
        (Protection::NoForeignMounts, FOREIGN),
        (Protection::NoDevices, DEVICE),
    ]
    .into_iter()
    .filter(|(protection, _)| !hardening.has(*protection))
    .map(|(_, mount)| mount)
}

/// A size is a hard limit at once only in memory; on a disk it is looked at once a minute.
fn in_memory(name: String, size_bytes: Option<u64>) -> Volume {
    Volume {
        name,
        empty_dir: Some(EmptyDirVolumeSource {
            medium: Some("Memory".to_owned()),
            size_limit: size_bytes.map(|bytes| Quantity(bytes.to_string())),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}
