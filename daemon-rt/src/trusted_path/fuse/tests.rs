use super::is_mounted_by_another;

const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:39 / /home/user/mount rw,nosuid,nodev,relatime shared:5 - fuse.sshfs host:/user_id=0,x rw,user_id=1000,group_id=0
31 22 0:40 / /mnt/a\\040b rw - fuseblk /dev/sda1 rw,user_id=0,group_id=0,default_permissions,allow_other
32 22 0:41 / /mnt/host rw - virtiofs shared rw
";

#[test]
fn who_mounted_it() {
    for (device, is_anothers) in [("0:39", true), ("0:40", false), ("0:41", false), ("0:4", true)] {
        assert_eq!(is_mounted_by_another(MOUNTS, device), is_anothers, "{device}");
    }
    assert!(is_mounted_by_another("", "0:39"));
}
