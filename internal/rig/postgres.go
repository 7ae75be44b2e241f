package rig

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/verobridge/verobridge/internal/localpg"
)

// Postgres is a private server with a database for each bridge.
type Postgres struct {
	options localpg.Options
	server  *localpg.Server
}

// StartPostgres starts a server.
func StartPostgres(ctx context.Context, o localpg.Options) (*Postgres, error) {
	p := &Postgres{options: o}
	return p, p.Start(ctx)
}

// Start starts a server that was stopped or has crashed.
func (p *Postgres) Start(ctx context.Context) (err error) {
	p.server, err = localpg.Start(ctx, p.options)
	return err
}

// URL returns where the server answers, as its superuser.
func (p *Postgres) URL() string { return p.server.URL() }

// Stop stops the server in peace.
func (p *Postgres) Stop(ctx context.Context) error { return p.server.Stop(ctx) }

// Crash ends the server at once.
func (p *Postgres) Crash() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.server.Stop(ended) // it says that it was killed
}

// Role is who a bridge is to Postgres: no superuser, as it should be anywhere.
const Role = "bridge"

const makeRole = "do $$ begin if not exists (select from pg_roles where rolname = '" + Role + "') then create role " + Role + " login; end if; end $$"

// Database is a database of a bridge, which owns it.
type Database struct {
	// Superuser and Bridge are its URLs, as who sees it.
	Superuser, Bridge string

	name   string
	server *Postgres
}

// Database makes a database.
func (p *Postgres) Database(ctx context.Context) (Database, error) {
	d := Database{name: fmt.Sprintf("bridge_%d", time.Now().UnixNano()), server: p}
	if err := Exec(ctx, p.URL(), makeRole, "create database "+d.name+" owner "+Role); err != nil {
		return d, fmt.Errorf("make a database: %w", err)
	}
	u, err := url.Parse(p.URL())
	if err != nil {
		return d, err
	}
	u.Path = "/" + d.name
	d.Superuser = u.String()
	u.User = url.User(Role)
	d.Bridge = u.String()
	return d, nil
}

// Drop removes the database, whoever uses it.
func (d Database) Drop(ctx context.Context) error {
	return Exec(ctx, d.server.URL(), "drop database "+d.name+" with (force)")
}

// Exec executes statements, one by one, in the database of a URL.
func Exec(ctx context.Context, database string, statements ...string) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}
