#include "api/wire/media.c"
#include "tests/test.h"

static int choose(const char *accept, unsigned offered)
{
    struct error err;
    enum media_form form;
    return media_choose(accept, offered, &form, &err) < 0 ? -1 : (int)form;
}

static void forms_are_chosen_in_order(void)
{
    unsigned all = 1 << FORM_OBJECT | 1 << FORM_TABLE | 1 << FORM_METADATA;
    CHECK_INT(choose(NULL, all), FORM_OBJECT);
    CHECK_INT(choose("*/*", all), FORM_OBJECT);
    CHECK_INT(choose("application/json", all), FORM_OBJECT);
    CHECK_INT(choose("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", all), FORM_TABLE);
    CHECK_INT(choose("application/json; as=Table ; v=v1; g=meta.k8s.io", all), FORM_TABLE);
    CHECK_INT(choose("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", 1 << FORM_OBJECT), FORM_OBJECT);
    CHECK_INT(choose("application/json;as=Table;v=v9;g=meta.k8s.io", all), -1);
    CHECK_INT(choose("application/vnd.kubernetes.protobuf,application/json", all), FORM_OBJECT);
    CHECK_INT(choose("application/vnd.kubernetes.protobuf", all), -1);
    CHECK_INT(choose("text/html, application/*;q=0.8", all), FORM_OBJECT);
    CHECK_INT(choose("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", all), FORM_METADATA);
    CHECK_INT(choose("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
                     1 << FORM_OBJECT | 1 << FORM_DISCOVERY),
              FORM_DISCOVERY);
}

static void types_are_told_apart(void)
{
    CHECK_INT(media_type_of(NULL), MEDIA_MANIFEST);
    CHECK_INT(media_type_of("application/json; charset=utf-8"), MEDIA_MANIFEST);
    CHECK_INT(media_type_of("Application/YAML"), MEDIA_MANIFEST);
    CHECK_INT(media_type_of("application/merge-patch+json"), MEDIA_MERGE_PATCH);
    CHECK_INT(media_type_of("application/apply-patch+yaml"), MEDIA_APPLY);
    CHECK_INT(media_type_of("application/vnd.kubernetes.protobuf"), MEDIA_PROTOBUF);
    CHECK_INT(media_type_of("application/jso"), MEDIA_OTHER);
}

int main(void)
{
    RUN(forms_are_chosen_in_order);
    RUN(types_are_told_apart);
    return test_end();
}
