package console

import "net/http"

func (c *Console) overview(*http.Request) (any, error) { return nil, nil }
