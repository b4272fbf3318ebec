package rpc

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/warren/pkg/messaging"
)

// encodeRequest returns the message that carries r. Its reply goes to replyTo.
func encodeRequest(r *Request, replyTo, appID string, persistent bool, now time.Time) messaging.Message {
	headers := make(map[string]any, 3)
	setForm(headers, headerRequest, encodeHTTP(r))
	if r.Identity != nil {
		setForm(headers, headerIdentity, encodeIdentity(r.Identity))
	}
	if !r.Deadline.IsZero() {
		headers[headerDeadline] = r.Deadline.UnixMilli()
	}
	return messaging.Message{
		ID:            r.ID,
		Type:          typeRequest,
		AppID:         appID,
		ContentType:   r.ContentType,
		CorrelationID: r.ID,
		ReplyTo:       replyTo,
		Headers:       headers,
		Body:          r.Body,
		Timestamp:     now,
		TTL:           ttlUntil(r.Deadline, now),
		Persistent:    persistent,
	}
}

// encodeHTTP is what a request has of the HTTP request behind it.
func encodeHTTP(r *Request) url.Values {
	form := make(url.Values, 3+len(r.Params)+len(r.Query)+len(r.Header))
	set(form, requestMethod, r.Method)
	set(form, requestPath, r.Path)
	set(form, requestRoute, r.Route)
	for name, value := range r.Params {
		form[requestParam+name] = []string{value}
	}
	for name, values := range r.Query {
		form[requestQuery+name] = values
	}
	for name, values := range r.Header {
		form[requestHeader+name] = values
	}
	return form
}

// set sets what is not empty.
func set(form url.Values, name, value string) {
	if value != "" {
		form[name] = []string{value}
	}
}

// encodeIdentity always has a subject, be it empty: an identity must not become nobody on its way.
func encodeIdentity(i *Identity) url.Values {
	form := url.Values{identitySubject: {i.Subject}}
	set(form, identityUsername, i.Username)
	set(form, identityTokenID, i.TokenID)
	if len(i.Scopes) > 0 {
		form[identityScopes] = i.Scopes
	}
	if !i.ExpiresAt.IsZero() {
		set(form, identityExpiresAt, strconv.FormatInt(i.ExpiresAt.Unix(), 10))
	}
	return form
}

// decodeRequest reads a request that arrived on queue. What is not there is empty: a plain requester sends a body and no
// more, and has neither identity nor deadline.
func decodeRequest(queue string, m messaging.Message) (*Request, error) {
	r := &Request{Queue: queue, ID: m.CorrelationID, ContentType: m.ContentType, Body: m.Body}
	if err := checkVersion(m.Headers); err != nil {
		return nil, err
	}
	form, err := getForm(m.Headers, headerRequest)
	if err != nil {
		return nil, err
	}
	decodeHTTP(r, form)
	if r.Identity, err = decodeIdentity(m.Headers); err != nil {
		return nil, err
	}
	r.Deadline, err = decodeDeadline(m.Headers)
	return r, err
}

// decodeHTTP reads what encodeHTTP writes. Names that differ in case alone are one header, its values in the names' order.
func decodeHTTP(r *Request, form url.Values) {
	r.Method, r.Path, r.Route = form.Get(requestMethod), form.Get(requestPath), form.Get(requestRoute)
	for _, name := range slices.Sorted(maps.Keys(form)) {
		values := form[name]
		if param, ok := strings.CutPrefix(name, requestParam); ok {
			if r.Params == nil {
				r.Params = map[string]string{}
			}
			r.Params[param] = values[0]
		} else if query, ok := strings.CutPrefix(name, requestQuery); ok {
			if r.Query == nil {
				r.Query = url.Values{}
			}
			r.Query[query] = values
		} else if header, ok := strings.CutPrefix(name, requestHeader); ok {
			addHeader(&r.Header, header, values)
		}
	}
}

func decodeDeadline(headers map[string]any) (time.Time, error) {
	ms, ok, err := getInteger(headers, headerDeadline)
	if !ok || err != nil {
		return time.Time{}, err
	}
	if ms <= 0 {
		return time.Time{}, fmt.Errorf("%s is %d, not after 1970", headerDeadline, ms)
	}
	return time.UnixMilli(ms), nil
}

var errNoSubject = errors.New(headerIdentity + " has no " + identitySubject)

func decodeIdentity(headers map[string]any) (*Identity, error) {
	if _, ok := headers[headerIdentity]; !ok {
		return nil, nil //nolint:nilnil // nobody
	}
	form, err := getForm(headers, headerIdentity)
	if err != nil {
		return nil, err
	}
	i := &Identity{
		Subject:  form.Get(identitySubject),
		Username: form.Get(identityUsername),
		Scopes:   form[identityScopes],
		TokenID:  form.Get(identityTokenID),
	}
	if i.Subject == "" {
		return nil, errNoSubject
	}
	if expiry := form.Get(identityExpiresAt); expiry != "" {
		seconds, err := strconv.ParseInt(expiry, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %s is not a number of seconds", headerIdentity, identityExpiresAt)
		}
		i.ExpiresAt = time.Unix(seconds, 0).UTC()
	}
	return i, nil
}
