package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
)

var listing = regexp.MustCompile(`^/v2/(.+)/referrers/sha256:[0-9a-f]{64}$`)

// typed says of referrers what OCI 1.1 wants said: the artifact type that their manifests name. The
// library says the media type of their configuration, also where there is an artifact type.
type typed struct {
	next http.Handler
}

func (t *typed) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	found := listing.FindStringSubmatch(request.URL.Path)
	if request.Method != http.MethodGet || found == nil {
		t.next.ServeHTTP(response, request)
		return
	}
	listed := t.get(request.URL.Path)
	var index map[string]any
	if listed.Code == http.StatusOK && json.Unmarshal(listed.Body.Bytes(), &index) == nil {
		manifests, _ := index["manifests"].([]any)
		for _, item := range manifests {
			t.correct(found[1], item)
		}
	}
	for key, values := range listed.Header() {
		response.Header()[key] = values
	}
	if index == nil {
		response.WriteHeader(listed.Code)
		_, _ = response.Write(listed.Body.Bytes())
		return
	}
	response.Header().Del("Content-Length")
	_ = json.NewEncoder(response).Encode(index)
}

func (t *typed) correct(repository string, item any) {
	descriptor, _ := item.(map[string]any)
	digest, _ := descriptor["digest"].(string)
	var manifest struct {
		ArtifactType string `json:"artifactType"`
	}
	answer := t.get("/v2/" + repository + "/manifests/" + digest)
	if json.Unmarshal(answer.Body.Bytes(), &manifest) == nil && manifest.ArtifactType != "" {
		descriptor["artifactType"] = manifest.ArtifactType
	}
}

func (t *typed) get(path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	target := url.URL{Path: path}
	t.next.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, target.String(), nil))
	return recorder
}
