# taken down by hand
$ curl -sk -X POST 'http://shop.example/a/../b?x=[1]' \
  -H "X-A: $USER" -H 'X-Empty;' -H 'Accept:' --data-raw $'a\x41\u00e9\'' -d "b=`id`" \
  --data-urlencode 'c= d&' -u a:b -A agent -e 'http://r;auto' -b 'k=v' | grep x
curl --next http://u:p@shop.example/é?q#f -G -d a=1 --url-query b --path-as-is -F 'x=@/etc/passwd;type=a/b; c=d;filename="q\"w"' > /dev/null
