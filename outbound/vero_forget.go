package outbound

import (
	"context"
	"fmt"
	"net/http"

	"github.com/verobridge/verobridge/internal/delivery"
)

// Forget deletes a person at Vero, for good: Vero takes no event of that id any
// more (getvero-docs, "Delete a user"). It is no error if Vero does not know the
// id.
func (v *Vero) Forget(ctx context.Context, id string) error {
	var body object
	body.text("id", id)
	a, made := v.client.do(ctx, v.call(newRequest(http.MethodPost, pathUsersDelete, &body)))
	if a.status == http.StatusNotFound {
		return nil
	}
	if o := judge(a, v.client.now(), made); o.Status() != delivery.StatusDelivered {
		return fmt.Errorf("delete a person at %s: %w", v.Name(), o.Err())
	}
	return nil
}
