package people

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/event"
)

// Suppressions are the people who were erased, as salted hashes of what they
// were known by. They are safe for concurrent use.
type Suppressions struct {
	db   *database
	file string // the copy; "" for none

	mu     sync.RWMutex
	known  chan struct{} // closed when it is known who was erased
	salt   []byte
	hashes map[string]Kind
}

// copied is the form of the copy.
type copied struct {
	Salt   []byte          `json:"salt"`
	Hashes map[string]Kind `json:"hashes"`
}

func openSuppressions(db *database, file string) (*Suppressions, error) {
	s := &Suppressions{db: db, file: file, known: make(chan struct{}), hashes: make(map[string]Kind)}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	var c copied
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err == nil && len(c.Salt) == 0 {
		err = errors.New("it has no salt")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s, the copy of who was erased; delete it if the warehouse is there: %w", file, err)
	}
	s.learn(c.Salt, c.Hashes)
	return s, nil
}

// ReadSuppressions reads once who was erased, for a program that works on the
// database at url beside the bridge. The tables must be there.
func ReadSuppressions(ctx context.Context, url string) (*Suppressions, error) {
	db, err := openDatabase(url, time.Now)
	if err != nil {
		return nil, wrap("read suppressions", err)
	}
	defer db.pool.Close()
	s := &Suppressions{db: db, known: make(chan struct{}), hashes: make(map[string]Kind)}
	return s, s.refresh(ctx)
}

// Known says whether it is known who was erased.
func (s *Suppressions) Known() bool {
	select {
	case <-s.known:
		return true
	default:
		return false
	}
}

// Suppressed says whether an event is about somebody who was erased.
func (s *Suppressions) Suppressed(e event.Event) bool {
	return s.size() > 0 && slices.ContainsFunc(Identifiers(e), s.Has)
}

// Has says whether whoever has an identifier was erased.
func (s *Suppressions) Has(id Identifier) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.hashes) == 0 {
		return false
	}
	_, erased := s.hashes[hash(s.salt, id)]
	return erased
}

func (s *Suppressions) size() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.hashes)
}

// hash hides an identifier from whoever does not have it.
func hash(salt []byte, id Identifier) string {
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(string(id.Kind) + "\x00" + id.folded().Value))
	return hex.EncodeToString(mac.Sum(nil))
}

// learn adds what was read, and returns the hashes that only we have: an older
// backup of the database may have been restored.
func (s *Suppressions) learn(salt []byte, hashes map[string]Kind) (more map[string]Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !hmac.Equal(s.salt, salt) { // another database, or the first time
		s.salt, s.hashes = salt, make(map[string]Kind)
	}
	more = maps.Clone(s.hashes)
	for h, kind := range hashes {
		s.hashes[h] = kind
		delete(more, h)
	}
	if !s.Known() {
		close(s.known)
	}
	return more
}

// refresh reads the table. Where there is no salt it gets ours, or a new one.
func (s *Suppressions) refresh(ctx context.Context) error {
	s.mu.RLock()
	salt := s.salt
	s.mu.RUnlock()
	if salt == nil {
		salt = []byte(rand.Text())
	}
	if err := s.db.exec(ctx, "insert into verobridge.suppression_salt (salt) values ($1) on conflict do nothing", salt); err != nil {
		return wrap("read suppressions", err)
	}
	salts, err := query(ctx, s.db, pgx.RowTo[[]byte], "select salt from verobridge.suppression_salt")
	if err != nil {
		return wrap("read suppressions", err)
	}
	type row struct {
		Hash string
		Kind Kind
	}
	rows, err := query(ctx, s.db, pgx.RowToStructByPos[row], "select hash, kind from verobridge.suppressions")
	if err != nil {
		return wrap("read suppressions", err)
	}
	hashes := make(map[string]Kind, len(rows))
	for _, r := range rows {
		hashes[r.Hash] = r.Kind
	}
	if more := s.learn(salts[0], hashes); len(more) > 0 {
		if err := s.store(ctx, more); err != nil {
			return err
		}
	}
	return s.copy()
}

// add suppresses whoever has one of the identifiers, for good, and returns their
// hashes.
func (s *Suppressions) add(ctx context.Context, ids []Identifier) (hashes []string, err error) {
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	s.mu.RLock()
	salt := s.salt
	s.mu.RUnlock()
	added := make(map[string]Kind, len(ids))
	for _, id := range ids {
		added[hash(salt, id)] = id.Kind
	}
	if err := s.store(ctx, added); err != nil {
		return nil, err
	}
	s.learn(salt, added)
	return slices.Sorted(maps.Keys(added)), s.copy()
}

func (s *Suppressions) store(ctx context.Context, hashes map[string]Kind) error {
	var texts, kinds []string
	for h, kind := range hashes {
		texts, kinds = append(texts, h), append(kinds, string(kind))
	}
	return wrap("write suppressions", s.db.exec(ctx, `
		insert into verobridge.suppressions (hash, kind)
		select * from unnest($1::text[], $2::text[]) on conflict do nothing`, texts, kinds))
}

// copy writes the copy anew, all of it or nothing, unless it is as it should be.
func (s *Suppressions) copy() error {
	if s.file == "" {
		return nil
	}
	s.mu.RLock()
	text, err := json.Marshal(copied{s.salt, s.hashes})
	s.mu.RUnlock()
	if err != nil {
		return wrap("copy suppressions", err)
	}
	if old, err := os.ReadFile(s.file); err == nil && string(old) == string(text) {
		return nil
	}
	return wrap("copy suppressions", replaceFile(s.file, text))
}

// replaceFile puts a file in the place of another, also if the machine stops in
// between.
func replaceFile(name string, text []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
