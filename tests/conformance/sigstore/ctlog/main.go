// Command ctlog signs what a log of certificates promises (RFC 6962, section 3.2), for the tests of signatures without keys.
//
// It keeps no tree: sigstore's clients check the promise in a certificate and never ask the log. The logs that others run
// (trillian's, tesseract) need a database, or are no module that can be fetched.
package main

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"log"
	"net/http"
	"os"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:6962", "address to listen on")
	file := flag.String("key", "", "PEM file of an ECDSA key in PKCS #8")
	flag.Parse()
	key, err := read(*file)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/ct/v1/add-pre-chain", func(w http.ResponseWriter, r *http.Request) {
		answer, err := promise(key, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}

func read(path string) (*ecdsa.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return key.(*ecdsa.PrivateKey), nil
}

func promise(key *ecdsa.PrivateKey, r *http.Request) (*ct.AddChainResponse, error) {
	var asked ct.AddChainRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	chain := make([]ct.ASN1Cert, len(asked.Chain))
	for i, der := range asked.Chain {
		chain[i] = ct.ASN1Cert{Data: der}
	}
	when := uint64(time.Now().UnixMilli())
	leaf, err := ct.MerkleTreeLeafFromRawChain(chain, ct.PrecertLogEntryType, when)
	if err != nil {
		return nil, err
	}
	data, err := ct.SerializeSCTSignatureInput(
		ct.SignedCertificateTimestamp{SCTVersion: ct.V1, Timestamp: when}, ct.LogEntry{Leaf: *leaf})
	if err != nil {
		return nil, err
	}
	made, err := tls.CreateSignature(*key, tls.SHA256, data)
	if err != nil {
		return nil, err
	}
	signature, err := tls.Marshal(ct.DigitallySigned(made))
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(public)
	return &ct.AddChainResponse{SCTVersion: ct.V1, ID: id[:], Timestamp: when, Signature: signature}, nil
}
