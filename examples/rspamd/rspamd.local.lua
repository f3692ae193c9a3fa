-- rspamd: asks the service about reports and null senders, and shows kind and category as a symbol.
-- The symbol weighs nothing; without an answer the mail passes as it is.
local rspamd_http = require "rspamd_http"
local ucl = require "ucl"

local function is_bounce(task)
  local from = task:get_from('smtp')
  local is_null = not from or not from[1] or from[1].addr == ''
  local content_type = task:get_header('Content-Type') or ''
  return is_null or content_type:lower():find('multipart/report', 1, true) == 1
end

rspamd_config:register_symbol({
  name = 'NDR',
  type = 'normal',
  flags = 'empty,nostat',
  group = 'ndr',
  score = 0.0,
  description = 'What ndr-triage says of a bounce',
  callback = function(task)
    if not is_bounce(task) then return end
    rspamd_http.request({
      task = task,
      url = 'http://127.0.0.1:8080/v1/classify?fields=kind,category,action,confidence',
      method = 'POST',
      mime_type = 'message/rfc822',
      body = task:get_content(),
      timeout = 5.0,
      callback = function(err, code, body)
        if err or code ~= 200 then return end
        local parser = ucl.parser()
        if parser:parse_string(body) then
          local answer = parser:get_object()
          task:insert_result('NDR', 1.0, { answer.kind, answer.category, answer.action })
        end
      end,
    })
  end,
})
