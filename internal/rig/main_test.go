package rig

import (
	"testing"

	"github.com/verobridge/verobridge/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }
