package rpc

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"example.com/warren/pkg/messaging"
)

// encodeRequest returns the message that carries r. Its reply goes to replyTo.
func encodeRequest(r *Request, replyTo, appID string, persistent bool, now time.Time) messaging.Message {
	headers := make(map[string]any, 3)
	encodeHTTP(r).set(headers, headerRequest)
	if r.Identity != nil {
		encodeIdentity(r.Identity).set(headers, headerIdentity)
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
func encodeHTTP(r *Request) wireForm {
	f := make(wireForm, 0, 512)
	f = f.addIf(requestMethod, r.Method).addIf(requestPath, r.Path).addIf(requestRoute, r.Route)
	for _, name := range sortedKeys(r.Params) {
		f = f.add(requestParam+name, r.Params[name])
	}
	return f.addLists(requestQuery, r.Query).addLists(requestHeader, r.Header)
}

// encodeIdentity always has a subject, be it empty: an identity must not become nobody on its way.
func encodeIdentity(i *Identity) wireForm {
	f := make(wireForm, 0, 256)
	f = f.add(identitySubject, i.Subject).addIf(identityUsername, i.Username).addIf(identityTokenID, i.TokenID)
	for _, scope := range i.Scopes {
		f = f.add(identityScope, scope)
	}
	if !i.ExpiresAt.IsZero() {
		f = f.add(identityExpiresAt, strconv.FormatInt(i.ExpiresAt.Unix(), 10))
	}
	return f
}

// decodeRequest reads a request that arrived on queue. What is not there is empty: a plain requester sends a body and no
// more, and has neither identity nor deadline.
func decodeRequest(queue string, m messaging.Message) (*Request, error) {
	r := &Request{Queue: queue, ID: m.CorrelationID, ContentType: m.ContentType, Body: m.Body}
	if err := checkVersion(m.Headers); err != nil {
		return nil, err
	}
	err := readForm(m.Headers, headerRequest, r.readHTTP)
	if err != nil {
		return nil, err
	}
	if r.Identity, err = decodeIdentity(m.Headers); err != nil {
		return nil, err
	}
	r.Deadline, err = decodeDeadline(m.Headers)
	return r, err
}

// readHTTP takes in one field of what encodeHTTP writes.
func (r *Request) readHTTP(name, value string) {
	switch name {
	case requestMethod:
		r.Method = value
	case requestPath:
		r.Path = value
	case requestRoute:
		r.Route = value
	default:
		r.readNamed(name, value)
	}
}

func (r *Request) readNamed(name, value string) {
	kind, name, _ := strings.Cut(name, ".")
	switch kind + "." {
	case requestParam:
		if r.Params == nil {
			r.Params = map[string]string{}
		}
		r.Params[name] = value
	case requestQuery:
		if r.Query == nil {
			r.Query = url.Values{}
		}
		r.Query.Add(name, value)
	case requestHeader:
		addHeader(&r.Header, name, value)
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
	i, expiry := &Identity{}, ""
	err := readForm(headers, headerIdentity, func(name, value string) {
		switch name {
		case identitySubject:
			i.Subject = value
		case identityUsername:
			i.Username = value
		case identityTokenID:
			i.TokenID = value
		case identityScope:
			i.Scopes = append(i.Scopes, value)
		case identityExpiresAt:
			expiry = value
		}
	})
	if err != nil {
		return nil, err
	}
	if i.Subject == "" {
		return nil, errNoSubject
	}
	if expiry != "" {
		seconds, err := strconv.ParseInt(expiry, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %s is not a number of seconds", headerIdentity, identityExpiresAt)
		}
		i.ExpiresAt = time.Unix(seconds, 0).UTC()
	}
	return i, nil
}
