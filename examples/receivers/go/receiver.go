// A webhook receiver: verifies, knows repeats, answers `ping`.
//
// Run: SECRET=... USERNAME_OF_OWNER=admin PORT=8080 go run receiver.go
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	fresh      = 5 * time.Minute
	bodyBytes  = 4 << 20
	remembered = 10_000
)

var hashes = map[string]func() hash.Hash{
	"HMAC-SHA224": sha256.New224,
	"HMAC-SHA256": sha256.New,
	"HMAC-SHA384": sha512.New384,
	"HMAC-SHA512": sha512.New,
}

type event struct {
	Event string `json:"event"`
	Data  struct {
		EventID string `json:"eventId"`
		Text    string `json:"text"`
	} `json:"data"`
}

type receiver struct {
	key      []byte
	mutex    sync.Mutex
	answered map[string]map[string]any
	order    []string
}

func (r *receiver) verified(header http.Header, body []byte) bool {
	algorithm := header.Get("X-WAREST-Signature-Alg")
	makeHash, known := hashes[algorithm]
	if !known {
		return false
	}
	mac := hmac.New(makeHash, r.key)
	mac.Write(body)
	expected := algorithm + "=" + hex.EncodeToString(mac.Sum(nil))
	stamp, err := strconv.ParseInt(header.Get("X-WAREST-Timestamp"), 10, 64)
	if err != nil || time.Since(time.UnixMilli(stamp)).Abs() > fresh {
		return false
	}
	return hmac.Equal([]byte(expected), []byte(header.Get("X-WAREST-Signature")))
}

func decide(e event) map[string]any {
	if e.Event != "message_received" || e.Data.Text != "ping" {
		return map[string]any{"ok": true}
	}
	pong := map[string]any{"type": "text", "to": "{{chatId}}", "text": "pong from go"}
	return map[string]any{"ok": true, "actions": []any{pong}}
}

func (r *receiver) answer(e event) map[string]any {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if before, repeated := r.answered[e.Data.EventID]; repeated {
		return before
	}
	decided := decide(e)
	if id := e.Data.EventID; id != "" {
		r.answered[id] = decided
		r.order = append(r.order, id)
	}
	if len(r.order) > remembered {
		delete(r.answered, r.order[0])
		r.order = r.order[1:]
	}
	return decided
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	reply := func(status int, body map[string]any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, bodyBytes))
	if err != nil {
		reply(http.StatusRequestEntityTooLarge, map[string]any{"ok": false})
		return
	}
	if !r.verified(request.Header, body) {
		reply(http.StatusUnauthorized, map[string]any{"ok": false})
		return
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		reply(http.StatusBadRequest, map[string]any{"ok": false})
		return
	}
	reply(http.StatusOK, r.answer(e))
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	secret := os.Getenv("SECRET")
	if secret == "" {
		log.Fatal("SECRET is not set")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+env("PORT", "0"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr().(*net.TCPAddr).Port)
	key := []byte(secret + env("USERNAME_OF_OWNER", "admin"))
	server := http.Server{
		Handler:           &receiver{key: key, answered: map[string]map[string]any{}},
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(server.Serve(listener))
}
