// Package powercut is a disk that loses power. It is a file system in memory,
// mounted through FUSE, that knows for each page of each file whether it was
// synced. Killing a program proves little about its durability, for the kernel
// keeps what the program wrote; here what was not synced really goes.
//
//	program ──write──▶ live ──fsync──▶ stable
//	                     │                │
//	                   Cut: some pages    all of it
//	                     └───────┬────────┘
//	                     what the next mount finds
//
// # What survives a cut
//
// The model is a file system with a journal, as ext4 and XFS are by default:
//
//   - what was written to a file before the last fsync or fdatasync of it that
//     succeeded, or through a descriptor opened with O_SYNC or O_DSYNC;
//   - which files there are, what they are called: every change before the last
//     fsync of anything, since the journal commits in order. Later changes
//     survive all together or not at all, as chance has it;
//   - of pages that were written and not synced, any: each 4 KiB page survives or
//     does not, whatever was written before or after it. A page that is missing
//     below one that survived reads as zeros.
//
// The last is harsher than most disks. A sector that is torn in itself and a
// disk that lies about its syncs are not part of the model.
//
// # Other faults
//
// The disk can be full (ENOSPC), and its syncs can fail (EIO).
package powercut
