package main

import "github.com/verobridge/verobridge/warehouse"

// warehouseOptions are the settings as the warehouse takes them.
func warehouseOptions(s settings) warehouse.Options {
	sources := make([]warehouse.Source, len(s.Sources))
	for i, source := range s.Sources {
		sources[i] = warehouse.Source{Name: source.Name, Vero: source.Type == typeVero}
	}
	return warehouse.Options{
		URL:         s.Warehouse.URL,
		Sources:     sources,
		Readers:     s.Warehouse.Readers,
		Mode:        warehouse.Mode(s.Warehouse.Mode),
		MaxColumns:  s.Warehouse.MaxColumns,
		Connections: s.Warehouse.Connections,
	}
}
