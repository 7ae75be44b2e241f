//go:build linux

package powercut

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// size of the disk, as statfs tells it.
const diskSize = 16 << 30

// check returns why an operation fails now, 0 if it does not. It is called with
// the disk's lock.
func (d *Disk) check(writes bool) syscall.Errno {
	switch {
	case d.off:
		return syscall.EIO
	case d.full && writes:
		return syscall.ENOSPC
	default:
		return 0
	}
}

// sync makes a file stable, and with it all changes of names before.
func (d *Disk) sync(f *file) syscall.Errno {
	if errno := d.check(false); errno != 0 {
		return errno
	}
	if d.badSyncs {
		return syscall.EIO
	}
	if f != nil {
		f.sync()
	}
	d.root.commit()
	d.syncs++
	return 0
}

// dirNode is a directory of the mount.
type dirNode struct {
	fs.Inode
	disk   *Disk
	folder *folder
}

var _ interface {
	fs.NodeOnAdder
	fs.NodeCreater
	fs.NodeMkdirer
	fs.NodeUnlinker
	fs.NodeRmdirer
	fs.NodeRenamer
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeFsyncer
	fs.NodeStatfser
} = (*dirNode)(nil)

// OnAdd implements fs.NodeOnAdder: a mount begins with what the disk holds.
func (n *dirNode) OnAdd(ctx context.Context) {
	for name, e := range n.folder.live {
		n.AddChild(name, n.child(ctx, e), false)
	}
}

func (n *dirNode) child(ctx context.Context, e entry) *fs.Inode {
	if f, ok := e.(*file); ok {
		return n.NewPersistentInode(ctx, &fileNode{disk: n.disk, file: f}, fs.StableAttr{Mode: fuse.S_IFREG})
	}
	return n.NewPersistentInode(ctx, &dirNode{disk: n.disk, folder: e.(*folder)}, fs.StableAttr{Mode: fuse.S_IFDIR})
}

// change does something to the entries of the folder.
func (n *dirNode) change(writes bool, do func()) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	errno := n.disk.check(writes)
	if errno == 0 {
		do()
	}
	return errno
}

func (n *dirNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	f := newFile(mode & 0o777)
	errno := n.change(true, func() {
		n.folder.live[name] = f
		f.describe(&out.Attr)
	})
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return n.child(ctx, f), handle{synced: isSynced(flags)}, 0, 0
}

func (n *dirNode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	f := newFolder(mode & 0o777)
	if errno := n.change(true, func() { n.folder.live[name] = f }); errno != 0 {
		return nil, errno
	}
	out.Mode = fuse.S_IFDIR | f.mode
	return n.child(ctx, f), 0
}

func (n *dirNode) Unlink(_ context.Context, name string) syscall.Errno {
	return n.change(false, func() { delete(n.folder.live, name) })
}

func (n *dirNode) Rmdir(_ context.Context, name string) syscall.Errno {
	if below, ok := n.GetChild(name).Operations().(*dirNode); ok && len(below.Children()) > 0 {
		return syscall.ENOTEMPTY
	}
	return n.change(false, func() { delete(n.folder.live, name) })
}

func (n *dirNode) Rename(_ context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	target, ok := to.(*dirNode)
	if !ok || flags != 0 {
		return syscall.EINVAL
	}
	return n.change(true, func() {
		e := n.folder.live[name]
		delete(n.folder.live, name)
		target.folder.live[newName] = e
	})
}

func (n *dirNode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return n.change(false, func() { out.Mode = fuse.S_IFDIR | n.folder.mode })
}

func (n *dirNode) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return n.change(false, func() {
		if mode, ok := in.GetMode(); ok {
			n.folder.mode = mode & 0o777
		}
		out.Mode = fuse.S_IFDIR | n.folder.mode
	})
}

func (n *dirNode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	return n.disk.sync(nil)
}

func (n *dirNode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	out.Bsize, out.Frsize, out.NameLen = pageSize, pageSize, 255
	out.Blocks = diskSize / pageSize
	if !n.disk.full {
		out.Bfree, out.Bavail = out.Blocks, out.Blocks
	}
	return 0
}

// fileNode is a file of the mount.
type fileNode struct {
	fs.Inode
	disk *Disk
	file *file
}

// handle is an open file.
type handle struct {
	synced bool // each write is
}

func isSynced(flags uint32) bool { return flags&(syscall.O_SYNC|syscall.O_DSYNC) != 0 }

var _ interface {
	fs.NodeOpener
	fs.NodeReader
	fs.NodeWriter
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeFsyncer
} = (*fileNode)(nil)

func (n *fileNode) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.check(false); errno != 0 {
		return nil, 0, errno
	}
	if flags&syscall.O_TRUNC != 0 {
		n.file.resize(0)
	}
	return handle{synced: isSynced(flags)}, 0, 0
}

func (n *fileNode) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.check(false); errno != 0 {
		return nil, errno
	}
	from := min(int(off), len(n.file.live))
	return fuse.ReadResultData(dest[:copy(dest, n.file.live[from:])]), 0
}

func (n *fileNode) Write(_ context.Context, h fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.check(true); errno != 0 {
		return 0, errno
	}
	n.file.write(data, int(off))
	if open, ok := h.(handle); ok && open.synced {
		if errno := n.disk.sync(n.file); errno != 0 {
			return 0, errno
		}
	}
	return uint32(len(data)), 0
}

func (n *fileNode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	return n.disk.sync(n.file)
}

func (n *fileNode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.check(false); errno != 0 {
		return errno
	}
	n.file.describe(&out.Attr)
	return 0
}

func (n *fileNode) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.check(false); errno != 0 {
		return errno
	}
	if size, ok := in.GetSize(); ok {
		n.file.resize(int(size))
	}
	if mode, ok := in.GetMode(); ok {
		n.file.mode = mode & 0o777
	}
	n.file.describe(&out.Attr)
	return 0
}

func (f *file) describe(out *fuse.Attr) {
	out.Mode = fuse.S_IFREG | f.mode
	out.Size = uint64(len(f.live))
	out.Blocks = (out.Size + 511) / 512
	out.SetTimes(nil, &f.changed, &f.changed)
}
